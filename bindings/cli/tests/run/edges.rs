//! What programs do at the edges of the calls that the library hooks.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use subflows_lab::oracle::ss_subflows;
use subflows_lab::{Net, skip_unless_ready, wait_until};
use tempfile::TempDir;

use crate::common::*;
use crate::{library, run};

/// The cases of `hooks.c`, compiled once.
fn hooks() -> &'static Path {
    static PROGRAM: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, program) = PROGRAM.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let program = compiled(&folder, &[]);
        (folder, program)
    });
    program
}

fn compiled(folder: &TempDir, flags: &[&str]) -> PathBuf {
    let program = folder.path().join("hooks");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run/hooks.c");
    let mut cc = Command::new("gcc");
    cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]).arg(&program);
    assert!(cc.args(flags).arg(source).status().unwrap().success());
    program
}

/// A case of `hooks.c` in this network, with a listener of Multipath TCP.
fn case(net: &Net, listener: &std::net::TcpListener, options: &[&str], name: &str) -> Command {
    let address = listener.local_addr().unwrap();
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let words = [options, &["--", hooks().to_str().unwrap(), name, &ip, &port]].concat();
    run(&net.client, &words)
}

pub(crate) fn listening(net: &Net) -> std::net::TcpListener {
    net.raise_limits().unwrap();
    let ip = IpAddr::from(net.paths[0].server_v4);
    net.server.run(|| subflows::listen((ip, 0), &subflows::Listen::new())).unwrap()
}

/// The agent once kept a descriptor until the process ended.
#[test]
fn the_peer_sees_the_end_however_the_program_closes() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let listener = listening(&net);
    for name in ["by_fclose", "by_dup2", "by_close_range"] {
        let mut program = case(&net, &listener, &["--enhanced"], name).spawn().unwrap();
        let (mut first, _) = listener.accept().unwrap();
        first.set_read_timeout(Some(SOON)).unwrap();
        assert_eq!(std::io::Read::read(&mut first, &mut [0]).unwrap(), 0, "{name}");
        assert!(program.try_wait().unwrap().is_none(), "{name}");
        // The program lives until it is answered by another connection.
        let (mut second, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut second, b"!").unwrap();
        assert!(program.wait().unwrap().success(), "{name}");
    }
}

/// A copy that is closed once cancelled the paths of the connection; a second connect(2) once doubled them.
#[test]
fn each_connection_gets_each_path_once() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let listener = listening(&net);
    let interface = net.paths[1].client_interface.as_str();
    for name in ["a_copy", "a_child", "twice", "own"] {
        let mut program = case(&net, &listener, &["--via", interface], name).spawn().unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        std::io::Read::read_exact(&mut accepted, &mut [0]).unwrap();
        wait_until(SOON, name, || ss_subflows(&net.client).len() == 2);
        let start = std::time::Instant::now();
        wait_until(SOON, "a while", || {
            assert_eq!(ss_subflows(&net.client).len(), 2, "{name}");
            start.elapsed().as_millis() > 200
        });
        std::io::Write::write_all(&mut accepted, b"!").unwrap();
        assert!(program.wait().unwrap().success(), "{name}");
        drop(accepted);
        wait_until(SOON, "the end", || ss_subflows(&net.client).is_empty());
    }
}

/// With each set of options: what is as the system answers, and what a program is not to reach.
#[test]
fn the_edges_of_the_calls_are_those_of_the_system() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let listener = listening(&net);
    let interface = net.paths[1].client_interface.as_str();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let reported = ["--report", report.to_str().unwrap()];
    let names = [
        "lowest",
        "other_namespace",
        "pointers",
        "jailed",
        "permitted",
        "small_stack",
        "cancelled",
        "counts",
        "everything",
    ];
    let tcp = ["--only", "203.0.113.9"];
    listener.set_nonblocking(true).unwrap();
    for options in [&[][..], &reported, &["--via", interface], &["--enhanced"], &tcp] {
        for name in names {
            let ran = Run::of(&mut case(&net, &listener, options, name));
            assert_eq!(ran.code, Some(0), "{name} {options:?}: {}", ran.stderr);
            if ran.stdout == "no Landlock\n" {
                subflows_lab::skip("the kernel has no Landlock for TCP");
            }
            // Connections that nothing accepts would fill the queue, and the kernel would drop further SYNs.
            while listener.accept().is_ok() {}
        }
    }
}

/// Without these, a hook that writes beyond the program's memory, or reads memory that was never written, goes unnoticed.
#[test]
fn tools_that_check_memory_find_nothing() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let listener = listening(&net);
    let interface = net.paths[1].client_interface.as_str();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let address = listener.local_addr().unwrap();
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    // Its functions come before the library's, so its runtime is part of the program.
    let sanitized = compiled(&folder, &["-fsanitize=address,undefined", "-static-libasan"]);
    let plain = hooks().to_str().unwrap();
    // Valgrind does not see what MPTCP_FULL_INFO writes through pointers.
    let valgrind = ["valgrind", "--quiet", "--error-exitcode=9", "--undef-value-errors=no", plain];
    for program in [&[sanitized.to_str().unwrap()][..], &valgrind] {
        for options in [&["--via", interface, "--enhanced"][..], &["--only", "203.0.113.9"]] {
            let reported = ["--report", report.to_str().unwrap(), "--"];
            let words = [options, &reported, program, &["everything", &ip, &port]].concat();
            let ran = Run::of(&mut run(&net.client, &words));
            assert!(ran.code == Some(0) && ran.stderr.is_empty(), "{options:?} {ran:?}");
        }
    }
}

/// A name that the library exports besides replaces one of the program's.
#[test]
fn only_the_hooked_functions_are_exported() {
    let mut command = Command::new("nm");
    command.args(["-D", "--defined-only", "--format=just-symbols"]).arg(library());
    let listed = Run::of(&mut command).ok();
    let mut names: Vec<_> = listed.lines().collect();
    names.sort_unstable();
    let connecting = ["close", "connect", "epoll_ctl", "getsockopt", "ioctl", "listen"];
    assert_eq!(names, [&connecting[..], &["setsockopt", "socket", "syscall"]].concat());
}
