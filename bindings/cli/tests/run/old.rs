//! Programs of 2016, which were written for the enhanced socket API, unchanged and unlinked.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use subflows_lab::{Net, skip_unless_ready};

use crate::common::*;
use crate::run;

/// The port of a server that sends back what it receives by one connection.
fn echo(net: &Net, ip: IpAddr) -> String {
    let listener = net.server.run(|| subflows::listen((ip, 0), &subflows::Listen::new())).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        let (mut accepted, _) = listener.accept().unwrap();
        let mut byte = [0];
        while accepted.read(&mut byte).is_ok_and(|length| length == 1) {
            accepted.write_all(&byte).unwrap();
        }
    });
    port
}

fn sources() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/run/old"))
}

/// The program of the C library's tests.
#[test]
fn a_program_of_2016_runs() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.raise_limits().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let program = folder.path().join("enhanced");
    let mut cc = Command::new("gcc");
    cc.args(["-std=gnu11", "-include", "subflows/enhanced.h", "-I"]);
    cc.arg(root.join("include")).arg(root.join("bindings/c/tests/enhanced.c"));
    assert!(cc.arg("-o").arg(&program).status().unwrap().success());
    for ip in net.paths[0].server_ips() {
        let port = echo(&net, ip);
        let program = program.to_str().unwrap();
        let local = net.paths[1].client_ip(ip).to_string();
        let words = ["--enhanced", "--", program, &ip.to_string(), &port, &local];
        Run::of(&mut run(&net.client, &words)).ok();
    }
}

#[test]
fn a_class_with_static_methods_and_a_script_run() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.raise_limits().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libold.so");
    let compiler =
        Command::new("sh").args(["-c", "realpath \"$(command -v javac)\""]).output().unwrap();
    let compiler = String::from_utf8(compiler.stdout).unwrap();
    let home = Path::new(compiler.trim()).ancestors().nth(2).unwrap();
    let mut cc = Command::new("gcc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(sources().join("old.c"));
    cc.arg("-I").arg(home.join("include")).arg("-I").arg(home.join("include/linux"));
    assert!(cc.status().unwrap().success());
    let (script, class) = (sources().join("old.rb"), sources().join("Old.java"));
    let opens = "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED";
    let java = [
        "java",
        "-XX:TieredStopAtLevel=1",
        opens,
        class.to_str().unwrap(),
        library.to_str().unwrap(),
    ];
    let ruby = ["ruby", script.to_str().unwrap()];
    for ip in net.paths[0].server_ips() {
        for words in [&ruby[..], &java] {
            if words[0] == "java" && ip.is_ipv6() {
                continue;
            }
            let (port, to) = (echo(&net, ip), ip.to_string());
            let local = net.paths[1].client_ip(ip).to_string();
            let words = [&["--enhanced", "--"], words, &[&to, &port, &local]].concat();
            Run::of(&mut run(&net.client, &words)).ok();
        }
    }
}
