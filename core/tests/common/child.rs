//! Other processes: this test binary again, running one helper of its own.
//!
//! A helper is an `#[ignore]`d test that begins with [`only_as_child`].

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output};

use subflows_lab::{Namespace, skip};

use super::deny;

const MARK: &str = "SUBFLOWS_TEST_CHILD";

/// The user `nobody`, who has no privileges.
const NOBODY: u32 = 65_534;

/// Whether this process was started by [`helper`].
pub fn is_child() -> bool {
    env::var_os(MARK).is_some()
}

/// Ends a helper that another process than [`helper`]'s runs.
macro_rules! only_as_child {
    () => {
        if !$crate::common::child::is_child() {
            return;
        }
    };
}
pub(crate) use only_as_child;

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

/// The helper, run by a program that makes a sandbox: the helper's command line follows the program's.
pub fn inside(program: &mut Command, helper: Command) -> &mut Command {
    program.arg(env::current_exe().unwrap()).args(helper.get_args());
    program.envs(helper.get_envs().filter_map(|(name, value)| Some((name, value?))))
}

/// Runs a helper of this binary, and checks that it was found and came to its end.
#[track_caller]
pub fn plays(helper: &mut Command) {
    has_played(helper.output().unwrap());
}

/// As [`plays`], for a [`helper_without_rights`]. Reports a skip if the user namespace has only one user.
#[track_caller]
pub fn plays_if_there_is_nobody(helper: &mut Command) {
    match helper.output() {
        Ok(output) => has_played(output),
        Err(_) => skip("there is no other user here"),
    }
}

/// Runs a helper in a new network namespace, inside unshare(1) with these arguments.
#[track_caller]
pub fn plays_inside(arguments: &[&str], name: &str) {
    let namespace = Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    plays(inside(Command::new("unshare").args(arguments), helper(name)));
}

#[track_caller]
fn has_played(output: Output) {
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
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
