//! Under a filter of system calls, and under valgrind.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::sys::resource::{Resource, setrlimit};
use subflows::Family;
use subflows_lab::{Namespace, is_before, skip, skip_unless_ready};

use crate::common::child::{helper, inside, is_child, only_as_child, plays};
use crate::common::deny::die_at;
use crate::setting;

/// Under a filter that kills for `sched_setscheduler`, each call wrote all memory to the disk.
#[test]
fn a_filter_of_system_calls_caused_a_core_dump() {
    skip_unless_ready!();
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with(['/', '|']) {
        return skip("this host keeps core dumps elsewhere");
    }
    let (namespace, folder) = (Namespace::new().unwrap(), tempfile::tempdir().unwrap());
    let _entered = namespace.enter().unwrap();
    plays(helper("filtered::helper_without_priorities").current_dir(folder.path()));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(setting(&namespace), "kernel");
}

#[test]
#[ignore = "a child of another test"]
fn helper_without_priorities() {
    only_as_child!();
    setrlimit(Resource::RLIMIT_CORE, libc::RLIM_INFINITY, libc::RLIM_INFINITY).unwrap();
    die_at(&[libc::SYS_sched_setscheduler]);
    for _ in 0..2 {
        subflows::take_control(&subflows::socket(Family::V4).unwrap()).unwrap();
    }
}

/// Valgrind ended the process: "Unsupported clone() flags".
#[test]
fn a_process_under_valgrind_was_ended() {
    skip_unless_ready!();
    if Command::new("valgrind").arg("--version").output().is_err() {
        return skip("valgrind is not installed");
    }
    let namespace = Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    let mut valgrind = Command::new("valgrind");
    let helper = helper("filtered::helper_that_takes_control");
    plays(inside(valgrind.args(["--quiet", "--error-exitcode=9"]), helper));
    assert_eq!(setting(&namespace), "kernel");
}

#[test]
#[ignore = "a child of another test"]
fn helper_that_takes_control() {
    if is_child() {
        subflows::take_control(&subflows::socket(Family::V4).unwrap()).unwrap();
    }
}

/// A user could make a program with more rights believe that the kernel is an older one, which switches
/// the verification of control off.
#[test]
fn a_program_with_the_rights_of_another_user_obeyed_the_environment() {
    skip_unless_ready!();
    if is_before(6, 5) {
        return skip("this kernel is an older one in any case");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
    let namespace = Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    let like = crate::common::child::helper_without_rights("filtered::helper_that_lists");
    let mut command = Command::new(&program);
    std::os::unix::process::CommandExt::uid(&mut command, 65_534);
    command.args(like.get_args()).env("SUBFLOWS_WITHOUT", "full_info");
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("not set-id") {
        return skip("programs in the temporary folder have the rights of their user only");
    }
    assert!(output.status.success() && text.contains("initial 1\n"), "{output:?}");
}

#[test]
#[ignore = "a child of another test"]
fn helper_that_lists() {
    only_as_child!();
    // SAFETY: takes a number.
    if unsafe { libc::getauxval(libc::AT_SECURE) } == 0 {
        return println!("not set-id");
    }
    let listener = subflows::listen("127.0.0.1:0", &subflows::Listen::new()).unwrap();
    let address = listener.local_addr().unwrap();
    let client = subflows::connect(address, &subflows::Connect::new()).unwrap();
    // The kernel's own id. Those of older kernels are others.
    println!("initial {}", subflows::list(&client).unwrap()[0].id);
}
