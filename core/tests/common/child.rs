//! Other processes: this test binary again, running one helper of its own.
//!
//! A helper is a test that is `#[ignore]`d, and that returns at once where [`is_child`] says no.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

const MARK: &str = "SUBFLOWS_TEST_CHILD";

/// Nobody, who owns nothing and may do nothing.
const NOBODY: u32 = 65_534;

/// Whether this process was started by [`helper`].
pub fn is_child() -> bool {
    env::var_os(MARK).is_some()
}

/// A command that runs the helper of that name in a process of its own, in the network namespace
/// of the thread that starts it. It fails if the helper panics.
pub fn helper(name: &str) -> Command {
    // Found by a link that needs no right to the folders above the binary.
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", name, "--ignored", "--nocapture"]).env(MARK, "1");
    command
}

/// As [`helper`], without any right. It fails to start where there is no such user, as in a user
/// namespace with one.
pub fn helper_without_rights(name: &str) -> Command {
    let mut command = helper(name);
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// A child that ends with the test.
pub struct Guarded(pub Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only where it has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
