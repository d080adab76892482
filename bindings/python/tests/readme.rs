//! Without these, a Python program of the README pages could fail.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use subflows_conform::language::root;
use subflows_conform::python_package;
use subflows_lab::{Namespace, Net, Program, WireOptions, oracle};

/// A command that runs an interpreter, which finds the package as it was just built, in a namespace.
fn interpreter(namespace: &Namespace) -> Command {
    static PATHS: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    let (program, module) = PATHS.get_or_init(|| {
        (python_package::interpreter().unwrap(), python_package::module(&root()).unwrap())
    });
    let mut command = namespace.command(program);
    // No compiled modules in the source tree.
    command.arg("-B").env("PYTHONPATH", module);
    command
}

/// Two paths, the second by an interface of the name that the pages use.
fn two_wires() -> Net {
    let perfect = WireOptions::default();
    Net::wires(&[("first", perfect), ("wwan0", perfect)]).unwrap()
}

/// The programs on a page.
fn programs(page: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let blocks = text.split("```python\n").skip(1);
    blocks.map(|rest| rest.split_once("```").expect("its end").0.to_owned()).collect()
}

/// The result of a program.
struct Played {
    lines: Vec<String>,
    sent: String,
    /// How many subflows the kernel has joined for it.
    joins: u64,
}

/// The sizes of answers: programs read the first byte, and must not depend on what follows.
const ANSWERS: [usize; 2] = [1, 10_000_000];

/// Runs a program in an empty folder, with a server of the test, which sends an answer of that size, instead of the
/// one it names.
fn play(net: &Net, program: &str, size: usize) -> Played {
    let folder = tempfile::tempdir().unwrap();
    let host = IpAddr::from(net.paths[0].server_v4);
    let options = subflows::Listen::new();
    let listener = net.server.run(|| subflows::listen((host, 443), &options)).unwrap();
    assert!(program.contains("\"server.example\", 443"), "{program}");
    let mut command = interpreter(&net.client);
    command.args(["-c", &program.replace("server.example", &host.to_string())]);
    command.current_dir(folder.path());
    let mut running = Program::start(command);
    let stream = running.accepted_by(&listener);
    let serving = thread::spawn(move || serve(stream, size));
    let lines = running.end();
    let sent = serving.join().unwrap();
    let joins = oracle::nstat(&net.client, "MPTcpExtMPJoinSynAckRx");
    Played { lines, sent, joins }
}

/// Returns what the program sent.
fn serve(mut stream: TcpStream, size: usize) -> String {
    let mut receiver = stream.try_clone().unwrap();
    let receiving = thread::spawn(move || {
        let mut text = String::new();
        // A program that has ended resets what it has not read.
        let result = receiver.read_to_string(&mut text);
        assert!(result.is_ok() || size > 1, "{result:?}");
        text
    });
    let _ = stream.write_all(&vec![b'!'; size]);
    receiving.join().unwrap()
}

/// A second path that is opened, listed and closed.
fn steers(program: &str) {
    for size in ANSWERS {
        let net = two_wires();
        let played = play(&net, program, size);
        assert_eq!((played.lines.len(), played.joins), (2, 1), "{:?}", played.lines);
        for (line, path) in played.lines.iter().zip(&net.paths) {
            assert!(line.contains(&path.client_v4.to_string()), "{line}");
        }
    }
}

#[test]
fn the_first_minute() {
    subflows_lab::skip_unless_ready!();
    let programs = programs("README.md");
    assert_eq!(programs.len(), 1);
    steers(&programs[0]);
}

#[test]
fn the_package() {
    subflows_lab::skip_unless_ready!();
    let programs = programs("bindings/python/README.md");
    // tests/adapters/test_readme.py runs those of the libraries.
    let [first, errors, asyncio, ..] = &programs[..] else { panic!("{} programs", programs.len()) };
    steers(first);

    for size in ANSWERS {
        let played = play(&two_wires(), errors, size);
        assert_eq!((played.lines[0].as_str(), played.lines.len()), ("AddressNotAvailable", 2));
        assert_eq!(played.sent, "the connection goes on over its other paths\n");

        let played = play(&two_wires(), asyncio, size);
        let expected = ["SUBFLOW_ESTABLISHED True".to_owned()];
        assert_eq!((&played.lines[..], played.joins), (&expected[..], 1));
    }
}
