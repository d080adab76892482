//! Without it, the C program in the README could fail.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use common::{compiler, linked, root};
use subflows::Listen;
use subflows_lab::{Net, Program, WireOptions, oracle, skip_unless_ready};

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

/// In an empty folder, with a small answer and a large one.
#[test]
fn the_readmes_program_runs() {
    skip_unless_ready!();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, rest) = readme.split_once("```c\n").expect("a program in C");
    let (text, _) = rest.split_once("```").expect("its end");
    assert!(text.contains("\"server.example\", \"443\""), "{text}");
    for size in [1, 10_000_000] {
        let net = two_wires();
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("download.c");
        let host = net.paths[0].server_v4.to_string();
        std::fs::write(&source, text.replace("server.example", &host)).unwrap();
        let program = linked(&mut compiler("gcc", "c11"), &source, folder.path().join("download"));
        let address = (net.paths[0].server_v4, 443);
        let listener = net.server.run(|| subflows::listen(address, &Listen::new())).unwrap();
        let mut command = net.client.command(program);
        command.current_dir(folder.path());
        let mut running = Program::start(command);
        let stream = running.accepted_by(&listener);
        let serving = thread::spawn(move || serve(stream, size));
        let lines = running.end();
        serving.join().unwrap();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().all(|line| line.ends_with(" us")), "{lines:?}");
        assert_eq!(oracle::nstat(&net.client, "MPTcpExtMPJoinSynAckRx"), 1);
    }
}
