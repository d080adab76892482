//! Finding the other descriptors and the epoll sets of this process that hold a socket.

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::file::{self, Kind};
use crate::sys::socket;

/// Fails if another descriptor or an epoll set of this process would keep the old socket.
pub(crate) fn refuse_watched(sock: BorrowedFd<'_>, operation: &'static str) -> Result<()> {
    let inode = socket::inode(sock).map_err(|error| Error::from_io(operation, &error))?;
    let held = |what: String| {
        Err(Error::new(ErrorKind::InvalidState, operation)
            .detail(what)
            .with_remedy("Call it before dup(2) and epoll_ctl(2)."))
    };
    let entries =
        fs::read_dir("/proc/thread-self/fd").map_err(|error| Error::from_io(operation, &error))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // By the number, because each path takes several times as long.
        match file::kind(number) {
            Some(Kind::Socket(other)) if other == inode && number != sock.as_raw_fd() => {
                return held(format!("descriptor {number} is the same socket"));
            }
            Some(Kind::Anonymous) => {
                let is_epoll = fs::read_link(entry.path())
                    .is_ok_and(|target| target.as_os_str() == "anon_inode:[eventpoll]");
                if is_epoll && watches(number, inode) {
                    return held(format!(
                        "the epoll set with descriptor {number} watches the socket"
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Reports whether an epoll set watches the inode: /proc lists each watched file as `tfd: … ino:HEX …`.
fn watches(epoll: RawFd, inode: u64) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/thread-self/fdinfo/{epoll}")) else {
        return false;
    };
    let wanted = format!("{inode:x}");
    text.lines().filter(|line| line.starts_with("tfd:")).any(|line| {
        line.split_whitespace().any(|word| word.strip_prefix("ino:") == Some(wanted.as_str()))
    })
}
