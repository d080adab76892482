//! What the caller of this command ignores and blocks, for the program that it becomes.
//!
//! Rust ignores SIGPIPE before `main`, and has a program that is started no longer ignore it, and blocks nothing. The
//! binary knows what was before.

use std::process::Command;
use std::sync::OnceLock;

type Restore = fn(&mut Command);

static RESTORE: OnceLock<Restore> = OnceLock::new();

/// Has commands that this process becomes start with the signals as `restore` sets them.
pub fn restore_with(restore: Restore) {
    RESTORE.get_or_init(|| restore);
}

pub(crate) fn restore(command: &mut Command) {
    if let Some(restore) = RESTORE.get() {
        restore(command);
    }
}
