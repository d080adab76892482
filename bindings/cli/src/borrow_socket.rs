//! Borrowing the socket of a connection from the process that holds it.
//!
//! The verbs work on a socket, and the command line names a connection by its token. The kernel
//! reports the inode of the connection's socket, /proc shows which process has that inode open, and
//! pidfd_getfd(2) duplicates its descriptor. The process does not notice. While the duplicate is
//! open, a close of the original does not end the connection, so a verb keeps it no longer than
//! necessary.
//!
//! ```no_run
//! let token = "4f2a9c01".parse().unwrap();
//! let sock = subflows_cli::borrow_socket::borrow(token)?;
//! println!("{}", subflows::list(&sock)?.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::cmp::Reverse;
use std::fmt;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use rustix::fs::{Dir, Mode, OFlags, open, readlinkat_raw};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, geteuid, pidfd_getfd, pidfd_open};
use subflows::{Connection, ErrorKind};

use crate::failure::Failure;
use crate::token::Token;

/// A duplicate of a connection's socket.
#[derive(Debug)]
pub struct Borrowed {
    sock: OwnedFd,
}

impl AsFd for Borrowed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sock.as_fd()
    }
}

/// Why a connection's socket could not be borrowed.
#[derive(Debug)]
pub enum BorrowError {
    /// The kernel does not have such a connection, or the look-up failed.
    LookUp(Failure),
    /// No process holds it: its program has closed it, or has not accepted it yet.
    NoHolder(Token),
    /// The process that holds it may not be traced by this one.
    NotPermitted {
        /// The connection.
        token: Token,
        /// The user who made the socket.
        uid: u32,
        /// The process, if it is known.
        holder: Option<Process>,
    },
    /// The process that holds it is not visible here, although this process may trace all others.
    NotVisible(Token),
    /// A system call failed for another reason.
    Os(Token, io::Error),
}

/// A process, by number and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its name, as /proc/PID/comm has it.
    pub name: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

impl fmt::Display for BorrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BorrowError::LookUp(failure) => write!(f, "{failure}"),
            BorrowError::NoHolder(token) => write!(f, "no process holds connection {token}"),
            BorrowError::NotPermitted { token, holder: Some(process), .. } => {
                write!(f, "not permitted to borrow connection {token} from {process}")
            }
            BorrowError::NotPermitted { token, uid, .. } => write!(
                f,
                "not permitted to trace the process that holds connection {token} (made by user \
                 {uid})"
            ),
            BorrowError::NotVisible(token) => {
                write!(f, "the process that holds connection {token} is not visible in this /proc")
            }
            BorrowError::Os(token, error) => write!(f, "cannot borrow connection {token}: {error}"),
        }
    }
}

impl std::error::Error for BorrowError {}

impl From<BorrowError> for Failure {
    fn from(error: BorrowError) -> Failure {
        let text = error.to_string();
        match error {
            BorrowError::LookUp(failure) => failure,
            BorrowError::NoHolder(_) => Failure::new(ErrorKind::InvalidState, text).remedy(
                "Its program has closed it, or has not accepted it yet. Use `subflows list`.",
            ),
            BorrowError::NotPermitted { .. } => Failure::new(ErrorKind::NotPermitted, text).remedy(
                "Run it as root (sudo subflows ...), or as that user. If the program has \
                 capabilities, or kernel.yama.ptrace_scope is not 0, only root may do it.",
            ),
            BorrowError::NotVisible(_) => Failure::new(ErrorKind::NotPermitted, text).remedy(
                "Run it in the container of the process, or on the host in the network namespace \
                 of the process: sudo nsenter --target PID --net subflows ...",
            ),
            BorrowError::Os(_, error) if Errno::from_io_error(&error) == Some(Errno::NOSYS) => {
                Failure::new(ErrorKind::Unsupported, text).remedy("Use Linux 5.6 or newer.")
            }
            BorrowError::Os(_, error) => Failure::system(text, &error),
        }
    }
}

/// Finds the process that holds a connection of this network namespace, and duplicates its socket.
///
/// # Errors
/// See [`BorrowError`].
pub fn borrow(token: Token) -> Result<Borrowed, BorrowError> {
    /// One walk over /proc may miss a socket that passes to another process at the time.
    const WALKS: usize = 3;
    for _ in 0..WALKS {
        let connection = look_up(token)?;
        if connection.inode == 0 {
            return Err(BorrowError::NoHolder(token));
        }
        let mut refused = None;
        let found = search(Path::new("/proc"), connection.inode, |process, fd| {
            match duplicate(&process, fd) {
                Ok(sock) if is(&sock, connection.inode) => Some(Ok(Borrowed { sock })),
                // The process has closed it, and its number may be that of another file by now.
                Ok(_) | Err(Errno::SRCH | Errno::BADF) => None,
                Err(Errno::PERM | Errno::ACCESS) => {
                    refused = Some(process);
                    None
                }
                Err(error) => Some(Err(BorrowError::Os(token, error.into()))),
            }
        });
        if let Some(result) = found.result {
            return result;
        }
        if refused.is_some() || found.denied > 0 || !geteuid().is_root() {
            // Ask again, in case the process has ended in the meantime.
            let connection = look_up(token)?;
            return Err(match connection.inode {
                0 => BorrowError::NoHolder(token),
                _ => BorrowError::NotPermitted { token, uid: connection.uid, holder: refused },
            });
        }
    }
    Err(BorrowError::NotVisible(token))
}

pub(crate) fn look_up(token: Token) -> Result<Connection, BorrowError> {
    subflows::connection(token.0).map_err(|error| {
        let failure = Failure::from(error.clone());
        BorrowError::LookUp(match error.kind() {
            ErrorKind::Closed => failure.remedy(
                "List the connections with `subflows connections`. If it is in another network \
                 namespace, enter that: nsenter --target PID --net subflows ...",
            ),
            _ => failure,
        })
    })
}

/// The result of a walk over /proc.
struct Search<T> {
    result: Option<T>,
    /// How many processes did not show their descriptors.
    denied: usize,
}

/// Offers the processes that have the socket with this inode open, with their descriptors, until one is accepted.
/// The newest are first: daemons of the system are many, old, and seldom meant.
fn search<T>(
    proc: &Path,
    inode: u32,
    mut accept: impl FnMut(Process, RawFd) -> Option<T>,
) -> Search<T> {
    let mut search = Search { result: None, denied: 0 };
    let target = format!("socket:[{inode}]");
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut pids: Vec<i32> = entries.filter_map(number).collect();
    pids.sort_unstable_by_key(|pid| Reverse(*pid));
    for pid in pids {
        let process = proc.join(pid.to_string());
        match descriptor(&process.join("fd"), &target) {
            Ok(None) => {}
            Ok(Some(fd)) => {
                let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
                let process = Process { pid, name: harmless(name.trim_end()) };
                search.result = accept(process, fd);
                if search.result.is_some() {
                    return search;
                }
            }
            // The kernel also denies access to the links of a process that has just ended.
            Err(Errno::ACCESS | Errno::PERM) => search.denied += usize::from(process.exists()),
            // The process has ended.
            Err(_) => {}
        }
    }
    search
}

/// The first descriptor in a folder of descriptors that links to `target`.
fn descriptor(folder: &Path, target: &str) -> Result<Option<RawFd>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = open(folder, flags, Mode::empty())?;
    let mut room = [const { MaybeUninit::uninit() }; 64];
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        // Not by its whole path, which the kernel would walk for each of perhaps thousands.
        match readlinkat_raw(&folder, entry.file_name(), &mut room) {
            Ok((link, _)) if link == target.as_bytes() => {}
            Err(error @ (Errno::ACCESS | Errno::PERM)) => return Err(error),
            _ => continue,
        }
        if let Some(fd) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) {
            return Ok(Some(fd));
        }
    }
    Ok(None)
}

/// Replaces control characters: a process chooses its name, and a terminal obeys them.
pub(crate) fn harmless(name: &str) -> String {
    name.replace(char::is_control, "?")
}

fn duplicate(process: &Process, fd: RawFd) -> Result<OwnedFd, Errno> {
    let pid = Pid::from_raw(process.pid).ok_or(Errno::SRCH)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    pidfd_getfd(&pidfd, fd, PidfdGetfdFlags::empty())
}

/// Whether this is the socket with that inode: after the search, the number of a process or of a descriptor may have
/// been reused. Its token would not show it: a connection that has ended or fell back to TCP no longer reports one.
fn is(sock: &OwnedFd, inode: u32) -> bool {
    rustix::fs::fstat(sock).is_ok_and(|stat| stat.st_ino == u64::from(inode))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;
    use std::os::linux::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_socket_is_found_in_its_process() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
        let inode = u32::try_from(fs::metadata(link).unwrap().st_ino()).unwrap();
        let mut holders = Vec::new();
        search(Path::new("/proc"), inode, |process, fd| {
            holders.push((process, fd));
            None::<()>
        });
        let [(process, fd)] = &holders[..] else { panic!("{holders:?}") };
        assert_eq!(process.pid, std::process::id() as i32);
        assert_eq!(*fd, socket.as_raw_fd());
        assert!(!process.name.is_empty());
        assert!(is(&duplicate(process, *fd).unwrap(), inode));
    }

    #[test]
    fn the_name_of_a_process_was_a_command_to_the_terminal() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
        let inode = u32::try_from(fs::metadata(link).unwrap().st_ino()).unwrap();
        let before = fs::read("/proc/self/comm").unwrap();
        fs::write("/proc/self/comm", "a\u{1b}[2Jb").unwrap();
        let found = search(Path::new("/proc"), inode, |process, _| Some(process.name));
        fs::write("/proc/self/comm", before).unwrap();
        assert_eq!(found.result.unwrap(), "a?[2Jb");
    }

    #[test]
    fn an_unknown_token_is_not_found() {
        let Err(error @ BorrowError::LookUp(_)) = borrow(Token(1)) else { panic!("it exists") };
        assert!(Failure::from(error).to_string().contains("nsenter"));
    }
}
