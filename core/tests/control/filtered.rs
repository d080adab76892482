//! Under a filter of system calls, and under valgrind.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use nix::sys::resource::{Resource, setrlimit};
use subflows::{ErrorKind, Family};
use subflows_lab::{Namespace, skip, skip_unless_ready};

use crate::common::child::{helper, is_child, only_as_child};
use crate::common::expect_error;
use crate::crash::answer;
use crate::setting;

/// A folder that is removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("subflows-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}: {}", output.status, text.concat());
}

/// Under a filter that kills for `sched_setscheduler`, each call wrote all memory to the disk.
#[test]
fn a_filter_of_system_calls_caused_a_core_dump() {
    skip_unless_ready!();
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with(['/', '|']) {
        return skip("this host keeps core dumps elsewhere");
    }
    let (namespace, folder) = (Namespace::new().unwrap(), Folder::new("core"));
    let _entered = namespace.enter().unwrap();
    succeeds(helper("filtered::helper_without_priorities").current_dir(&folder.0));
    let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(setting(&namespace), "kernel");
}

#[test]
#[ignore = "a child of another test"]
fn helper_without_priorities() {
    only_as_child!();
    setrlimit(Resource::RLIMIT_CORE, libc::RLIM_INFINITY, libc::RLIM_INFINITY).unwrap();
    answer(&[libc::SYS_sched_setscheduler], libc::SECCOMP_RET_KILL_PROCESS);
    for _ in 0..2 {
        subflows::take_control(&subflows::socket(Family::V4).unwrap()).unwrap();
    }
}

/// The remedy was CAP_NET_ADMIN.
#[test]
fn a_forbidden_system_call_is_named() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    for name in ["filtered::helper_without_clone", "filtered::helper_without_flock"] {
        succeeds(&mut helper(name));
    }
    assert_eq!(setting(&namespace), "kernel");
}

fn is_forbidden(call: libc::c_long, name: &str) {
    let sock = subflows::socket(Family::V4).unwrap();
    answer(&[call], libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    let error = expect_error(subflows::take_control(&sock), ErrorKind::NotPermitted);
    assert!(error.remedy().contains(name), "{error}");
    assert!(!error.remedy().contains("CAP_NET_ADMIN"), "{error}");
}

#[test]
#[ignore = "a child of another test"]
fn helper_without_clone() {
    if is_child() {
        is_forbidden(libc::SYS_clone, "clone");
    }
}

#[test]
#[ignore = "a child of another test"]
fn helper_without_flock() {
    if is_child() {
        is_forbidden(libc::SYS_flock, "flock");
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
    let helper = helper("filtered::helper_that_takes_control");
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--error-exitcode=9"]).arg(std::env::current_exe().unwrap());
    command.args(helper.get_args());
    command.envs(helper.get_envs().filter_map(|(name, value)| Some((name, value?))));
    succeeds(&mut command);
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
    let folder = Folder::new("set-id");
    std::fs::set_permissions(&folder.0, PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.0.join("tests");
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
