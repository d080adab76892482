//! The process that acts for a program: it serves as long as a process of the program lives, whatever that does.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use subflows_lab::oracle::ss_subflows;
use subflows_lab::{Namespace, Net, skip_unless_ready, wait_until};

use crate::common::*;
use crate::{edges, run};

/// Waits for the second path, by which the server answers.
const CONNECTS: &str = "
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sock.sendall(b'?')
sock.recv(1)
";

/// Writes the path of the agent's socket, and becomes a daemon as the textbook has it.
const DAEMON: &str = "
import os, resource, socket, sys
open(sys.argv[3], 'w').write(os.environ['SUBFLOWS_RUN_SOCKET'])
if os.fork() > 0:
    os._exit(7)
os.setsid()
if os.fork() > 0:
    os._exit(0)
os.closerange(0, 1024)
os.open('/dev/null', os.O_RDWR); os.dup(0); os.dup(0)
if not sys.argv[4:]:
    os.execv(sys.executable, [sys.executable, '-c', sys.orig_argv[2], *sys.argv[1:], 'again'])
";

/// Becomes another user, as servers do once they listen. What is imported later may be out of that user's reach.
const OTHER_USER: &str = "
import encodings.idna, os, socket, sys
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
";

/// Accepts a connection, waits for its second path, and answers.
fn gets_its_path(net: &Net, listener: &std::net::TcpListener) {
    let mut accepted = None;
    listener.set_nonblocking(true).unwrap();
    wait_until(SOON, "the connection", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (mut accepted, _) = accepted.unwrap();
    accepted.set_nonblocking(false).unwrap();
    accepted.set_read_timeout(Some(SOON)).unwrap();
    accepted.read_exact(&mut [0]).unwrap();
    wait_until(SOON, "the second path", || ss_subflows(&net.client).len() == 2);
    accepted.write_all(b"!").unwrap();
    drop(accepted);
    wait_until(SOON, "the end", || ss_subflows(&net.client).is_empty());
}

#[test]
fn daemons_and_programs_that_change_their_user_get_their_paths() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let listener = edges::listening(&net);
    let address = listener.local_addr().unwrap();
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let interface = net.paths[1].client_interface.as_str();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("socket");
    let program = |script: &str| {
        let script = [script, CONNECTS].concat();
        let file = file.to_str().unwrap();
        let mut words = vec!["--via", interface, "--", "python3", "-c", &script, &ip, &port, file];
        if !script.contains("closerange") {
            words.pop();
        }
        run(&net.client, &words)
    };

    // The command ends with the first process.
    let ended = Run::of(&mut program(DAEMON));
    assert_eq!((ended.code, &*ended.stderr), (Some(7), ""));
    gets_its_path(&net, &listener);
    // And the agent with the last.
    let socket = fs::read_to_string(&file).unwrap();
    let place = Path::new(&socket).parent().unwrap();
    wait_until(2 * SOON, "the end of the agent", || !place.exists());

    if has_nobody() {
        let mut changed = program(OTHER_USER).spawn().unwrap();
        gets_its_path(&net, &listener);
        assert!(changed.wait().unwrap().success());
    }
}

/// What a program ignores and blocks is what its caller had it ignore and block.
#[test]
fn signals_are_as_the_caller_set_them() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let printed = ["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"];
    for set in [&["--ignore-signal=PIPE"][..], &["--block-signal=USR1"], &["--default-signal=PIPE"]]
    {
        let mut without = namespace.command("env");
        let without = Run::of(without.args(set).args(printed)).ok();
        for options in [&[][..], &["--via", "lo"]] {
            let words = [options, &["--"], &printed].concat();
            let mut command = namespace.command("env");
            command.args(set).arg(SUBFLOWS).arg("run").args(words);
            let with = Run::of(command.env("SUBFLOWS_PRELOAD", crate::library())).ok();
            assert_eq!(with, without, "{set:?} {options:?}");
        }
    }
}

/// A program in the same process group sees its own process id, and no other child.
#[test]
fn the_program_has_the_process_of_the_command() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let script = "import os\n\
                  try:\n    os.waitpid(-1, os.WNOHANG)\n\
                  except ChildProcessError:\n    print(os.getpid())";
    let mut command = run(&namespace, &["--via", "lo", "--", "python3", "-c", script]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let process = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{process}\n"));
}

#[test]
fn a_temporary_folder_that_is_too_deep_is_named() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let mut command = run(&namespace, &["--via", "lo", "--", "true"]);
    let told = Run::of(command.env("TMPDIR", format!("/{}", "x".repeat(100)))).fails(2);
    assert!(told.contains("TMPDIR"), "{told}");
    let mut command = run(&namespace, &["--via", "lo", "--", "true"]);
    let told = Run::of(command.env("TMPDIR", "/no/such/folder")).fails(1);
    assert!(told.contains("cannot make the socket") && told.contains("above"), "{told}");
}
