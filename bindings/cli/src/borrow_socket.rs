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

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

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
        let found = search(Path::new("/proc"), connection.inode);
        let mut refused = None;
        for (process, fd) in found.holders {
            match duplicate(&process, fd) {
                Ok(sock) if is(&sock, connection.inode) => return Ok(Borrowed { sock }),
                // The process has closed it, and its number may be that of another file by now.
                Ok(_) | Err(Errno::SRCH | Errno::BADF) => {}
                Err(Errno::PERM | Errno::ACCESS) => refused = Some(process),
                Err(error) => return Err(BorrowError::Os(token, error.into())),
            }
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

fn look_up(token: Token) -> Result<Connection, BorrowError> {
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
#[derive(Default)]
struct Search {
    holders: Vec<(Process, RawFd)>,
    /// How many processes did not show their descriptors.
    denied: usize,
}

/// Looks for the processes that have the socket with this inode open.
fn search(proc: &Path, inode: u32) -> Search {
    let mut search = Search::default();
    let target = format!("socket:[{inode}]");
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    for entry in entries {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match descriptor(&entry.path().join("fd"), &target) {
            Ok(None) => {}
            Ok(Some(fd)) => {
                let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                let process = Process { pid, name: harmless(name.trim_end()) };
                search.holders.push((process, fd));
            }
            // The kernel also denies access to the links of a process that has just ended.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                search.denied += usize::from(entry.path().exists());
            }
            // The process has ended.
            Err(_) => {}
        }
    }
    search
}

/// The first descriptor in a folder of descriptors that links to `target`.
fn descriptor(folder: &Path, target: &str) -> io::Result<Option<RawFd>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match fs::read_link(entry.path()) {
            Ok(link) if link.as_os_str() == target => {}
            Ok(_) => continue,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(_) => continue,
        }
        if let Some(fd) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
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

/// Whether this is the socket of that connection: after the search, the number of a process or of a
/// descriptor may have been reused.
fn is(sock: &OwnedFd, inode: u32) -> bool {
    // Not by its token, which a connection that fell back to TCP no longer reports.
    let file = sock.try_clone().map(File::from).and_then(|file| file.metadata());
    file.is_ok_and(|file| file.file_type().is_socket() && file.ino() == u64::from(inode))
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
        let found = search(Path::new("/proc"), inode);
        let [(process, fd)] = &found.holders[..] else { panic!("{:?}", found.holders) };
        assert_eq!(process.pid, std::process::id() as i32);
        assert_eq!(*fd, socket.as_raw_fd());
        assert!(!process.name.is_empty());
        assert!(duplicate(process, *fd).is_ok());
    }

    #[test]
    fn the_name_of_a_process_was_a_command_to_the_terminal() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
        let inode = u32::try_from(fs::metadata(link).unwrap().st_ino()).unwrap();
        let before = fs::read("/proc/self/comm").unwrap();
        fs::write("/proc/self/comm", "a\u{1b}[2Jb").unwrap();
        let found = search(Path::new("/proc"), inode);
        fs::write("/proc/self/comm", before).unwrap();
        assert_eq!(found.holders[0].0.name, "a?[2Jb");
    }

    #[test]
    fn an_unknown_token_is_not_found() {
        let Err(error @ BorrowError::LookUp(_)) = borrow(Token(1)) else { panic!("it exists") };
        assert!(Failure::from(error).to_string().contains("nsenter"));
    }
}
