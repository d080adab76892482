//! Finding the other descriptors and the epoll sets of this process that hold a socket.

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::socket;

/// Fails if another descriptor or an epoll set of this process would keep the old socket.
pub(crate) fn refuse_watched(sock: BorrowedFd<'_>, operation: &'static str) -> Result<()> {
    let inode = socket::inode(sock).map_err(|error| Error::from_io(operation, &error))?;
    let own = sock.as_raw_fd().to_string();
    let link = format!("socket:[{inode}]");
    let held = |what: String| {
        Err(Error::new(ErrorKind::InvalidState, operation)
            .detail(what)
            .with_remedy("Call it before dup(2) and epoll_ctl(2)."))
    };
    let entries =
        fs::read_dir("/proc/thread-self/fd").map_err(|error| Error::from_io(operation, &error))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let target = target.to_string_lossy();
        if target == link && name != own.as_str() {
            return held(format!("descriptor {} is the same socket", name.to_string_lossy()));
        }
        if target == "anon_inode:[eventpoll]" && watches(&name.to_string_lossy(), inode) {
            return held(format!(
                "the epoll set with descriptor {} watches the socket",
                name.to_string_lossy()
            ));
        }
    }
    Ok(())
}

/// Reports whether an epoll set watches the inode: /proc lists each watched file as `tfd: … ino:HEX …`.
fn watches(epoll: &str, inode: u64) -> bool {
    let Ok(text) = fs::read_to_string(format!("/proc/thread-self/fdinfo/{epoll}")) else {
        return false;
    };
    let wanted = format!("{inode:x}");
    text.lines().filter(|line| line.starts_with("tfd:")).any(|line| {
        line.split_whitespace().any(|word| word.strip_prefix("ino:") == Some(wanted.as_str()))
    })
}
