//! The sockets that the agent has made for clients, by what the kernel calls them.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use nix::sys::stat::fstat;

/// A socket of the agent's: where it was made, and the inode by which it is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) number: RawFd,
    pub(super) inode: u32,
}

/// Nobody tells when the application closes one. A number that comes again forgets the former socket,
/// so that there are never more of them than descriptors were open at once.
#[derive(Default)]
struct Known {
    numbers: HashMap<u32, RawFd>,
    inodes: HashMap<RawFd, u32>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers a socket that was just made. It is only asked for its inode: an option that is read
/// can begin a first subflow.
pub(crate) fn remember(sock: impl AsFd) {
    let number = sock.as_fd().as_raw_fd();
    let Some(inode) = inode(sock) else { return };
    let mut known = known();
    if let Some(former) = known.inodes.insert(number, inode) {
        known.numbers.remove(&former);
    }
    known.numbers.insert(inode, number);
}

/// As `sock_diag` and /proc/self/fd name it.
pub(super) fn inode(sock: impl AsFd) -> Option<u32> {
    fstat(sock).ok().and_then(|stat| u32::try_from(stat.st_ino).ok())
}

/// The one with that inode, if it is ours.
pub(super) fn by_inode(inode: u32) -> Option<Made> {
    known().numbers.get(&inode).map(|&number| Made { number, inode })
}

/// Whether no later socket has its number, as far as we have made them.
pub(super) fn is_last(made: Made) -> bool {
    known().inodes.get(&made.number) == Some(&made.inode)
}

pub(super) fn count() -> usize {
    known().inodes.len()
}
