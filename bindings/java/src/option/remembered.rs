//! The values of options that were set on Multipath TCP sockets and that the kernel does not keep.
//!
//! This library does not learn that a socket is closed. When its number is used again, the values of
//! the former socket are forgotten, so that this holds at most as many as descriptors were open at once.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use jni::sys::jint;
use nix::sys::stat::fstat;

use super::SocketOption;

/// The values of one socket, which its inode identifies.
struct Values {
    inode: u64,
    by_option: HashMap<SocketOption, jint>,
}

static SOCKETS: LazyLock<Mutex<HashMap<RawFd, Values>>> = LazyLock::new(Mutex::default);

/// Whether there are any: most programs never set such an option, and [`get`] is called often.
static IS_USED: AtomicBool = AtomicBool::new(false);

fn sockets() -> MutexGuard<'static, HashMap<RawFd, Values>> {
    SOCKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn inode(sock: BorrowedFd<'_>) -> Option<u64> {
    fstat(sock).ok().map(|stat| stat.st_ino)
}

/// Remembers a value, unless it is the one that the kernel reports.
pub(super) fn set(sock: BorrowedFd<'_>, option: SocketOption, value: jint, kernels: jint) {
    let Some(inode) = inode(sock) else { return };
    let number = sock.as_raw_fd();
    let mut sockets = sockets();
    if sockets.get(&number).is_some_and(|values| values.inode != inode) {
        sockets.remove(&number);
    }
    if value != kernels {
        IS_USED.store(true, Ordering::Relaxed);
        let empty = || Values { inode, by_option: HashMap::new() };
        sockets.entry(number).or_insert_with(empty).by_option.insert(option, value);
    } else if let Some(values) = sockets.get_mut(&number) {
        values.by_option.remove(&option);
    }
}

pub(super) fn get(sock: BorrowedFd<'_>, option: SocketOption) -> Option<jint> {
    if !IS_USED.load(Ordering::Relaxed) {
        return None;
    }
    let inode = inode(sock)?;
    let sockets = sockets();
    let values = sockets.get(&sock.as_raw_fd()).filter(|values| values.inode == inode)?;
    values.by_option.get(&option).copied()
}
