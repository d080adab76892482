//! Other processes: this test binary again, running one helper of its own.
//!
//! A helper is an `#[ignore]`d test that returns at once unless [`is_child`] holds.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use super::deny;

const MARK: &str = "SUBFLOWS_TEST_CHILD";

/// The user `nobody`, who has no privileges.
const NOBODY: u32 = 65_534;

/// Whether this process was started by [`helper`].
pub fn is_child() -> bool {
    env::var_os(MARK).is_some()
}

/// A command that runs the helper of that name in its own process, in the network namespace of the
/// thread that starts it. It fails if the helper panics.
pub fn helper(name: &str) -> Command {
    // This link works even without permission for the folders above the binary.
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", name, "--ignored", "--nocapture"]).env(MARK, "1");
    command
}

/// As [`helper`], without any privilege. It fails to start if the user namespace has only one user.
pub fn helper_without_rights(name: &str) -> Command {
    let mut command = helper(name);
    command.uid(NOBODY).gid(NOBODY);
    command
}

/// As [`helper`], with CAP_NET_ADMIN alone, as a service with AmbientCapabilities= has it.
pub fn helper_with_net_admin(name: &str) -> Command {
    let mut command = helper_without_rights(name);
    // The child inherits from this thread that it keeps its capabilities as another user.
    // SAFETY: takes numbers only.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) }, 0);
    // SAFETY: the function makes system calls only.
    unsafe { command.pre_exec(deny::keep_net_admin_alone) };
    command
}

/// A child that ends with the test.
pub struct Guarded(pub Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only if the child has already ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
