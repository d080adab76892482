//! Without it, the Rust program in the README could fail.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use subflows::Listen;
use subflows_lab::{Net, Program, WireOptions, oracle, skip_unless_ready};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Runs words of a shell, which must succeed, without a network.
fn shell(words: &str, folder: &Path) {
    let mut command = Command::new("bash");
    command.args(["-euc", words]).current_dir(folder).env("CARGO_NET_OFFLINE", "true");
    // Compiled once, for all runs of this test.
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme"));
    // Of the cargo that runs this test.
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
    let output = command.output().unwrap();
    let printed = [&output.stdout[..], &output.stderr[..]].concat();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&printed));
}

/// Two paths, the second by an interface of the name that the page uses.
fn two_wires() -> Net {
    let perfect = WireOptions::default();
    Net::wires(&[("first", perfect), ("wwan0", perfect)]).unwrap()
}

/// Sends an answer of that size, of which the program reads the first byte.
fn serve(mut stream: TcpStream, size: usize) {
    // A program that has ended resets what it has not read.
    let _ = stream.write_all(&vec![b'!'; size]);
    let _ = stream.read_to_end(&mut Vec::new());
}

/// By the page's words, next to a folder `subflows`, in which everything is that the checkout contains. With a
/// small answer and a large one.
#[test]
fn the_readmes_program_runs() {
    skip_unless_ready!();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("In Rust, after `").expect("the words");
    let (words, rest) = rest.split_once('`').unwrap();
    let (_, rest) = rest.split_once("```rust,no_run\n").expect("a program in Rust");
    let (program, _) = rest.split_once("```").expect("its end");
    assert!(program.contains("\"server.example:443\""), "{program}");

    let folder = tempfile::tempdir().unwrap();
    let checkout = folder.path().join("subflows");
    fs::create_dir(&checkout).unwrap();
    for entry in fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        symlink(entry.path(), checkout.join(entry.file_name())).unwrap();
    }
    shell(words, &checkout);
    let project = folder.path().join("download");
    // The versions that were downloaded already.
    fs::copy(root().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();

    for size in [1, 10_000_000] {
        let net = two_wires();
        let host = net.paths[0].server_v4.to_string();
        fs::write(project.join("src/main.rs"), program.replace("server.example", &host)).unwrap();
        shell("cargo build && cp $CARGO_TARGET_DIR/debug/download .", &project);
        let listener = net
            .server
            .run(|| subflows::listen((net.paths[0].server_v4, 443), &Listen::new()))
            .unwrap();
        let empty = tempfile::tempdir().unwrap();
        let mut command = net.client.command(project.join("download"));
        command.current_dir(empty.path());
        let mut running = Program::start(command);
        let stream = running.accepted_by(&listener);
        let serving = thread::spawn(move || serve(stream, size));
        let lines = running.end();
        serving.join().unwrap();
        assert_eq!(lines.len(), 2, "{lines:?}");
        for (line, path) in lines.iter().zip(&net.paths) {
            assert!(line.contains(&format!(" {}:", path.client_v4)), "{line}");
            assert!(line.ends_with(" us"), "{line}");
        }
        assert_eq!(oracle::nstat(&net.client, "MPTcpExtMPJoinSynAckRx"), 1);
    }
}
