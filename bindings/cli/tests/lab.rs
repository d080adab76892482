//! `subflows lab`: the network has the requested properties, and ends together with the command.

mod common;

use std::env;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use common::*;
use serde_json::Value;
use subflows_lab::{skip, skip_unless_ready};

/// Set for the functions below that are not tests but parts of one, run on the two sides of the
/// lab.
const PART: &str = "SUBFLOWS_TEST_PART";
const PORT: u16 = 4000;

fn lab(arguments: &[&str]) -> Run {
    Run::of(Command::new(SUBFLOWS).arg("lab").args(arguments))
}

#[test]
fn the_end_of_the_command_comes_through() {
    skip_unless_ready!();
    for (script, code) in [("true", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -9 $$", 137)]
    {
        let run = lab(&["-q", "wifi", "--", "sh", "-c", script]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(code), ""), "{script}");
    }
    assert!(lab(&["wifi", "--", "/no/such/command"]).fails(127).contains("/no/such/command"));
    assert!(lab(&["wifi", "--", "/"]).fails(126).contains("cannot run `/`"));
    let doubled = lab(&["wifi:1ms", "wifi:2ms", "--", "true"]).fails(2);
    assert!(doubled.contains("same name"), "{doubled}");
}

#[test]
fn a_ready_made_network_is_chosen_by_its_name() {
    skip_unless_ready!();
    let script = "ip -o address show; echo; echo $SUBFLOWS_LAB_SERVER6";
    for (name, interface, server) in [
        ("laptop", "wwan0", "2001:db8:113::10"),
        ("addresses", "vip", "2001:db8:1::2"),
        ("link-local-only", "twin1", "fe80::1:2%eth0"),
    ] {
        let text = lab(&["--network", name, "-q", "--", "sh", "-c", script]).ok();
        assert!(text.contains(interface) && text.trim_end().ends_with(server), "{name}: {text}");
    }
    assert!(lab(&["--network", "moon", "--", "true"]).fails(2).contains("strict laptop"));
    lab(&["--network", "laptop", "wifi", "--", "true"]).fails(2);
}

#[test]
fn the_network_is_as_ordered() {
    skip_unless_ready!();
    let script = "ip -o address show; echo; nsenter --net=$SUBFLOWS_LAB_SERVER_NS ip -o address; \
                  echo; echo $SUBFLOWS_LAB_SERVER $SUBFLOWS_LAB_SERVER6";
    let run = lab(&["wifi:1ms:50mbit", "lte:2ms:20mbit", "--", "sh", "-c", script]);
    assert!(run.stderr.contains("server side: nsenter --net=/proc/"), "{run:?}");
    let text = run.ok();
    let [client, server, addresses] = text.split("\n\n").collect::<Vec<_>>()[..] else {
        panic!("{text}")
    };
    assert!(client.contains("wifi") && client.contains("lte") && !client.contains("eth"), "{text}");
    assert!(server.contains("net0") && !server.contains("wifi"), "{text}");
    for address in addresses.split_whitespace() {
        let address: IpAddr = address.parse().unwrap();
        assert!(server.contains(&format!(" {address}/")), "{text}");
    }
    let json = lab(&["--json", "wifi:1ms:50mbit", "lte:1%", "--", "true"]);
    let json: Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!(json["paths"][0]["delay_us"], 1000);
    assert_eq!(json["paths"][1]["loss"], 0.01);
}

#[test]
fn the_shell_is_the_default_and_knows_its_network() {
    skip_unless_ready!();
    let mut command = Command::new(SUBFLOWS);
    let run = Run::of(command.args(["lab", "wifi:20ms:50mbit"]).env("SHELL", "true"));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("wifi: 10.0.1.1 -> 10.0.1.2, 20.0 ms each way, 50.0 Mbit/s"));
}

/// A server and a client of this test on the two sides of the lab: the round-trip time is that of
/// the wire, and both paths carry data at once.
#[test]
fn a_server_is_waited_for_and_the_round_trip_takes_its_time() {
    skip_unless_ready!();
    let part = |name: &str| format!("'{}' --exact {name} --nocapture", own_path());
    let start = Instant::now();
    let mut command = Command::new(SUBFLOWS);
    command.args([
        "lab",
        "--join",
        "--server",
        &part("part_server"),
        "wifi:20ms",
        "lte:60ms",
        "--",
    ]);
    let run = Run::of(command.args(["sh", "-c", &part("part_client")]).env(PART, "yes"));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(start.elapsed() < Duration::from_secs(30), "the server was not ended");
    let told = |name: &str| -> u64 {
        let line = run.stdout.lines().find_map(|line| line.split_once(name));
        line.unwrap_or_else(|| panic!("{name}: {run:?}")).1.trim().parse().unwrap()
    };
    let round_trip = told("round trip:");
    assert!((40..400).contains(&round_trip), "{round_trip} ms");
    assert_eq!(told("subflows:"), 2);
}

fn own_path() -> String {
    env::current_exe().unwrap().into_os_string().into_string().unwrap()
}

#[test]
fn part_server() {
    if env::var_os(PART).is_none() {
        return;
    }
    let listener =
        subflows::listen((IpAddr::from([0; 4]), PORT), &subflows::Listen::new()).unwrap();
    serve(&listener);
}

fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() {
            stream.write_all(&byte).unwrap();
        }
    }
}

#[test]
fn part_client() {
    if env::var_os(PART).is_none() {
        return;
    }
    let server: IpAddr = env::var("SUBFLOWS_LAB_SERVER").unwrap().parse().unwrap();
    let address = SocketAddr::new(server, PORT);
    let mut stream = subflows::connect(address, &subflows::Connect::new()).unwrap();
    let echo = |stream: &mut TcpStream| {
        let start = Instant::now();
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
        start.elapsed()
    };
    let round_trip = (0..5).map(|_| echo(&mut stream)).min().unwrap();
    subflows_lab::wait_until(SOON, "the kernel's subflow", || {
        subflows::list(&stream).unwrap().len() == 2
    });
    println!("round trip:{}", round_trip.as_millis());
    println!("subflows:{}", subflows::list(&stream).unwrap().len());
}

#[test]
fn a_server_that_never_listens_does_not_block_forever() {
    skip_unless_ready!();
    let start = Instant::now();
    let run = lab(&["--server", "exit 1", "wifi", "--", "sh", "-c", "echo here"]);
    assert!(run.stderr.contains("does not listen"), "{run:?}");
    assert_eq!(run.ok(), "here\n");
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

/// A signal that asks the lab to end reaches its command, and the lab ends with that.
#[test]
fn a_signal_is_passed_on() {
    skip_unless_ready!();
    use rustix::process::{Pid, Signal, kill_process};
    use std::process::Stdio;
    let script = "trap 'echo bye; exit 5' TERM; echo here; while :; do sleep 0.05; done";
    let mut command = Command::new(SUBFLOWS);
    command.args(["lab", "-q", "wifi", "--", "sh", "-c", script]).stdout(Stdio::piped());
    let mut child = command.process_group(0).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut greeting = [0; 5];
    stdout.read_exact(&mut greeting).unwrap();
    // The command handles Ctrl-C itself.
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "bye\n");
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn an_ordinary_user_has_a_lab_too() {
    if !has_nobody() {
        return;
    }
    let folder = Folder::new();
    let copy = folder.command();
    let nobody = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        as_nobody(&mut command, arguments[0]);
        Run::of(command.current_dir(folder.path()).args(&arguments[1..]))
    };
    if nobody(&["unshare", "-Urn", "true"]).code != Some(0) {
        // It reports that, with a remedy.
        let text = nobody(&[&copy, "lab", "wifi", "--", "true"]).fails(125);
        assert!(text.contains("root"), "{text}");
        return skip("ordinary users may not make user namespaces here");
    }
    let script = "ip -o link; nsenter --net=$SUBFLOWS_LAB_SERVER_NS ip -o link; exit 9";
    let run = nobody(&[&copy, "lab", "wifi:1ms", "lte", "--", "sh", "-c", script]);
    assert_eq!(run.code, Some(9), "{run:?}");
    assert!(run.stdout.contains("wifi@") && run.stdout.contains("net1@"), "{run:?}");
}

/// Without capabilities, and with a limit of 0 user namespaces.
#[test]
fn without_user_namespaces_it_reports_what_it_needs() {
    skip_unless_ready!();
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && \
                  exec setpriv --bounding-set=-all --inh-caps=-all \"$0\" \"$@\"";
    let run = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        Run::of(command.args(["-Ur", "sh", "-c", script, SUBFLOWS]).args(arguments))
    };
    let remedy = "sysctl user.max_user_namespaces=";
    let text = run(&["lab", "wifi", "--", "true"]).fails(125);
    assert!(text.contains(remedy), "{text}");
    let text = run(&["demo"]).fails(3);
    assert!(text.contains(remedy), "{text}");
    assert_eq!(run(&["demo", "--json"]).fails_with(3), "NotPermitted");
}
