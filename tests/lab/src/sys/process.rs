//! Children that start in another namespace, and the precision of a thread's timers.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use nix::sched::{CloneFlags, setns};

/// Makes the child of `command` enter a network namespace before it executes its program.
pub(crate) fn start_in(command: &mut Command, namespace: Arc<File>) {
    let enter = move || setns(&*namespace, CloneFlags::CLONE_NEWNET).map_err(io::Error::from);
    // SAFETY: between fork and exec the closure makes one system call on a descriptor that the
    // child has inherited; it neither allocates nor takes a lock, as the child of a process with
    // threads must not.
    unsafe { command.pre_exec(enter) };
}

/// Requests timers that fire when they are due; by default they may be 50 µs late.
pub(crate) fn sharpen_timers() {
    // SAFETY: PR_SET_TIMERSLACK takes one number and touches only the calling thread.
    // A failure would only cost precision, so the result does not matter.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) };
}
