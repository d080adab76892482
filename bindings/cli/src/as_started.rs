//! The signals as they were when this command was started: before Rust changed them, and for the program that it becomes.

use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

static IGNORES_SIGPIPE: AtomicBool = AtomicBool::new(false);

extern "C" fn look() {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the pointer is to a structure, which the call fills.
    let result = unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all bytes may be zero.
    let action = unsafe { action.assume_init() };
    IGNORES_SIGPIPE.store(result == 0 && action.sa_sigaction == libc::SIG_IGN, Ordering::Relaxed);
}

/// Called by the dynamic linker before Rust ignores SIGPIPE.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Has a command start with the same signals blocked, and SIGPIPE ignored if it was.
pub(crate) fn restore(command: &mut Command) {
    let mut blocked = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the pointer is to a set of signals, which the call fills.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), blocked.as_mut_ptr()) };
    // SAFETY: all bytes may be zero.
    let blocked = unsafe { blocked.assume_init() };
    let set = move || {
        if IGNORES_SIGPIPE.load(Ordering::Relaxed) {
            // SAFETY: no pointer is passed.
            unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
        }
        // SAFETY: the pointer is to a set of signals.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, ptr::null_mut()) };
        Ok(())
    };
    // SAFETY: it makes two system calls, which are permitted between fork(2) and exec(3).
    unsafe { command.pre_exec(set) };
}
