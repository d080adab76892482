//! Getting hold of a connection that another process holds.
//!
//! The verbs work on a socket, and a token names one: the kernel tells the inode of the
//! connection's socket, /proc tells which process has that inode open, and pidfd_getfd(2) makes a
//! duplicate of its descriptor. The process notices nothing. While the duplicate lives, a close of
//! the original does not end the connection, so it is not kept longer than a verb takes.
//!
//! ```no_run
//! let token = "4f2a9c01".parse().unwrap();
//! let held = subflows_cli::holder::hold(token)?;
//! println!("{}", subflows::list(&held)?.len());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, geteuid, pidfd_getfd, pidfd_open};
use subflows::{Connection, ErrorKind};

use crate::failure::Failure;
use crate::token::Token;

/// A duplicate of a connection's socket.
#[derive(Debug)]
pub struct Held {
    sock: OwnedFd,
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sock.as_fd()
    }
}

/// Why a connection's socket is out of reach.
#[derive(Debug)]
pub enum Unheld {
    /// The kernel does not know the connection, or cannot be asked.
    Unknown(Failure),
    /// No process holds it: its program has closed it, or has not accepted it yet.
    Nobody(Token),
    /// A process holds it that this one may not look into.
    NotPermitted {
        /// The connection.
        token: Token,
        /// The user who made it.
        uid: u32,
        /// The process, where it is known.
        holder: Option<Process>,
    },
    /// A process holds it that cannot be seen from here, though everything may be looked into.
    OutOfSight(Token),
    /// The system said no for another reason.
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

impl fmt::Display for Unheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unheld::Unknown(failure) => write!(f, "{failure}"),
            Unheld::Nobody(token) => write!(f, "no process holds connection {token}"),
            Unheld::NotPermitted { token, holder: Some(process), .. } => {
                write!(f, "not permitted to borrow connection {token} from {process}")
            }
            Unheld::NotPermitted { token, uid, .. } => write!(
                f,
                "not permitted to look into the process that holds connection {token} (made by \
                 user {uid})"
            ),
            Unheld::OutOfSight(token) => {
                write!(f, "the process that holds connection {token} cannot be seen from here")
            }
            Unheld::Os(token, error) => write!(f, "cannot borrow connection {token}: {error}"),
        }
    }
}

impl std::error::Error for Unheld {}

impl From<Unheld> for Failure {
    fn from(unheld: Unheld) -> Failure {
        let text = unheld.to_string();
        match unheld {
            Unheld::Unknown(failure) => failure,
            Unheld::Nobody(_) => Failure::new(ErrorKind::InvalidState, text).remedy(
                "Its program has closed it, or has not accepted it yet; only `list` works on it.",
            ),
            Unheld::NotPermitted { .. } => Failure::new(ErrorKind::NotPermitted, text).remedy(
                "Run it as root (sudo subflows ...), or as that user; for programs with \
                 capabilities, and where kernel.yama.ptrace_scope is not 0, it takes root.",
            ),
            Unheld::OutOfSight(_) => Failure::new(ErrorKind::NotPermitted, text).remedy(
                "Run it where the process is seen, such as in its container or on the host of \
                 that: sudo nsenter --target PID --net subflows ...",
            ),
            Unheld::Os(_, error) if error.raw_os_error() == Some(Errno::NOSYS.raw_os_error()) => {
                Failure::new(ErrorKind::Unsupported, text).remedy("Use Linux 5.6 or newer.")
            }
            Unheld::Os(_, error) => Failure::system(text, &error),
        }
    }
}

/// Finds out who holds a connection of this network namespace, and duplicates its socket.
///
/// # Errors
/// See [`Unheld`].
pub fn hold(token: Token) -> Result<Held, Unheld> {
    /// A socket that changes hands while /proc is walked may be missed.
    const WALKS: usize = 3;
    for _ in 0..WALKS {
        let connection = look_up(token)?;
        if connection.inode == 0 {
            return Err(Unheld::Nobody(token));
        }
        let found = search(Path::new("/proc"), connection.inode);
        let mut refused = None;
        for (process, fd) in found.holders {
            match borrow(&process, fd) {
                Ok(sock) if is(&sock, token) => return Ok(Held { sock }),
                // Closed, and the number taken by something else, or by nothing: not this one.
                Ok(_) | Err(Errno::SRCH | Errno::BADF) => {}
                Err(Errno::PERM | Errno::ACCESS) => refused = Some(process),
                Err(error) => return Err(Unheld::Os(token, error.into())),
            }
        }
        if refused.is_some() || found.denied > 0 || !geteuid().is_root() {
            // Unless its holder has ended meanwhile.
            let connection = look_up(token)?;
            return Err(match connection.inode {
                0 => Unheld::Nobody(token),
                _ => Unheld::NotPermitted { token, uid: connection.uid, holder: refused },
            });
        }
    }
    Err(Unheld::OutOfSight(token))
}

fn look_up(token: Token) -> Result<Connection, Unheld> {
    subflows::connection(token.0).map_err(|error| {
        let failure = Failure::from(error.clone());
        Unheld::Unknown(match error.kind() {
            ErrorKind::Closed => failure.remedy(
                "See `subflows connections`; for a connection in another network namespace, enter \
                 it: nsenter --target PID --net subflows ...",
            ),
            _ => failure,
        })
    })
}

/// What a walk over /proc has found.
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
                let process = Process { pid, name: name.trim_end().to_owned() };
                search.holders.push((process, fd));
            }
            // The kernel also refuses to read the links of a process that has just ended.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                search.denied += usize::from(entry.path().exists());
            }
            // Ended in between.
            Err(_) => {}
        }
    }
    search
}

/// The first descriptor in a folder of them that leads to `target`.
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

fn borrow(process: &Process, fd: RawFd) -> Result<OwnedFd, Errno> {
    let pid = Pid::from_raw(process.pid).ok_or(Errno::SRCH)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    pidfd_getfd(&pidfd, fd, PidfdGetfdFlags::empty())
}

/// Between finding and borrowing, the number of a process or of a descriptor may pass to another.
fn is(sock: &OwnedFd, token: Token) -> bool {
    subflows::status(sock).is_ok_and(|status| status.token == Some(token.0))
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
        assert!(borrow(process, *fd).is_ok());
    }

    #[test]
    fn an_unknown_token_is_not_there() {
        let Err(unheld @ Unheld::Unknown(_)) = hold(Token(1)) else { panic!("it exists") };
        assert!(Failure::from(unheld).to_string().contains("nsenter"));
    }
}
