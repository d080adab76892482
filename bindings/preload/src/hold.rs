//! This process uses the agent: it holds a lock for as long as it lives, and its children with it.

use std::ffi::CStr;
use std::ptr;

use subflows_run::{LOCK, SOCKET};

use crate::next;

const TRIES: usize = 1000;

/// Locks the agent's file, and maps it: the lock lasts as long as the mapping. No descriptor is kept, which a program
/// could close or pass on.
pub(crate) fn hold(socket: &CStr) {
    let mut path = [0u8; libc::PATH_MAX as usize];
    let Some(folder) = socket.to_bytes().strip_suffix(SOCKET.as_bytes()) else { return };
    let (name, end) = (LOCK.as_bytes(), folder.len() + LOCK.len());
    // The last byte stays zero.
    if end >= path.len() {
        return;
    }
    path[..folder.len()].copy_from_slice(folder);
    path[folder.len()..end].copy_from_slice(name);
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NOFOLLOW;
    // SAFETY: the path ends with a zero.
    let file = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0) };
    let Ok(file @ 0..) = i32::try_from(file) else { return };
    // Nothing is read, so the length does not matter.
    // SAFETY: the kernel chooses the place.
    unsafe { libc::mmap(ptr::null_mut(), 1, libc::PROT_NONE, libc::MAP_SHARED, file, 0) };
    // The agent tries its own lock now and then, for a moment. Another process that has the file must not stop this one.
    let is_locked = || {
        // SAFETY: no pointer is passed.
        unsafe { libc::flock(file, libc::LOCK_SH | libc::LOCK_NB) == 0 }
    };
    for _ in 0..TRIES {
        if is_locked() {
            break;
        }
        // SAFETY: no pointer is passed.
        unsafe { libc::sched_yield() };
    }
    // SAFETY: the descriptor is this function's.
    unsafe { next::close_own(file) };
}
