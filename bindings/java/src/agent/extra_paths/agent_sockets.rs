//! The sockets that the agent has made for clients, found by their inodes.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use nix::sys::stat::fstat;

/// A socket that the agent made: its descriptor's number, and its inode, which identifies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AgentSocket {
    pub(super) number: RawFd,
    pub(super) inode: u32,
}

/// All of them. The agent does not learn that the application closes one. When its number is used
/// again, the former socket is forgotten, so that this holds at most as many sockets as descriptors
/// were open at once.
#[derive(Default)]
struct AgentSockets {
    numbers: HashMap<u32, RawFd>,
    inodes: HashMap<RawFd, u32>,
}

static SOCKETS: LazyLock<Mutex<AgentSockets>> = LazyLock::new(Mutex::default);

fn sockets() -> MutexGuard<'static, AgentSockets> {
    SOCKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers a socket that was just made. Only its inode is read: reading a socket option can begin
/// the first subflow.
pub(crate) fn remember(sock: impl AsFd) {
    let number = sock.as_fd().as_raw_fd();
    let Some(inode) = inode(sock) else { return };
    let mut sockets = sockets();
    if let Some(former) = sockets.inodes.insert(number, inode) {
        sockets.numbers.remove(&former);
    }
    sockets.numbers.insert(inode, number);
}

/// The inode, as `sock_diag` and /proc/self/fd show it.
pub(super) fn inode(sock: impl AsFd) -> Option<u32> {
    fstat(sock).ok().and_then(|stat| u32::try_from(stat.st_ino).ok())
}

/// The socket with that inode, if the agent made it.
pub(super) fn by_inode(inode: u32) -> Option<AgentSocket> {
    sockets().numbers.get(&inode).map(|&number| AgentSocket { number, inode })
}

/// Whether the agent has made no later socket under the same number.
pub(super) fn is_last(socket: AgentSocket) -> bool {
    sockets().inodes.get(&socket.number) == Some(&socket.inode)
}

pub(super) fn count() -> usize {
    sockets().inodes.len()
}
