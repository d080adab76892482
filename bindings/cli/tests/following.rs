//! The verbs that only show a connection, as text, and those that run until it ends: `events` and `announce`.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use common::*;
use subflows_lab::{Net, oracle, skip_unless_ready};

/// A verb that runs until the connection ends.
struct Running {
    child: Child,
    stdout: BufReader<Box<dyn Read>>,
    stderr: BufReader<Box<dyn Read>>,
}

impl Running {
    fn start(net: &Net, arguments: &[&str]) -> Running {
        let mut command = net.client.command(SUBFLOWS);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout: Box<dyn Read> = Box::new(child.stdout.take().unwrap());
        let stderr: Box<dyn Read> = Box::new(child.stderr.take().unwrap());
        Running { child, stdout: BufReader::new(stdout), stderr: BufReader::new(stderr) }
    }

    fn line(from: &mut impl BufRead) -> String {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        line
    }

    /// Waits for its end, and returns what it printed last.
    #[track_caller]
    fn ends(mut self) -> (String, String) {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.stderr.read_to_string(&mut stderr).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{stderr}");
        (stdout, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A verb that keeps the socket it borrows would keep the connection open.
#[test]
fn what_follows_a_connection_ends_with_it() {
    skip_unless_ready!();
    let (net, pair, token) = held(|net| net.paths[0].server_v4.into());
    let mut events = Running::start(&net, &["events", &token]);
    let following = Running::line(&mut events.stderr);
    assert_eq!(following, format!("subflows: following the events of connection {token}\n"));
    let header = Running::line(&mut events.stdout);
    let decimal = u32::from_str_radix(&token, 16).unwrap().to_string();
    let announce = ["announce", &decimal, "10.0.1.1", "--port", "0"];
    let mut announce = Running::start(&net, &announce);
    let announced = Running::line(&mut announce.stdout);
    assert!(announced.starts_with("10.0.1.1:") && announced.contains("Ctrl-C"), "{announced}");

    let run = |arguments: &[&str]| subflows(&net.client, arguments).ok();
    let text = run(&["addresses", &token]);
    assert!(text.lines().any(|line| line.ends_with("  announced")), "{text}");
    run(&["open", &token, "--interface", "eth1"]);
    let line = Running::line(&mut events.stdout);
    assert!(line.contains("SubflowEstablished"), "{line}");
    assert_eq!(line.find("10.0.2.1:"), header.find("LOCAL"), "{header}{line}");

    drop(pair);
    let (printed, _) = events.ends();
    assert!(printed.is_empty() || printed.contains("Closed"), "{printed}");
    let (_, said) = announce.ends();
    assert!(said.contains("has ended"), "{said}");
    assert_eq!(oracle::ss_connections(&net.client).len(), 0);
}

#[test]
fn records_are_shown_with_units() {
    skip_unless_ready!();
    let (net, pair, token) = held(|net| net.paths[0].server_v4.into());
    let run = |arguments: &[&str]| subflows(&net.client, arguments).ok();
    let value = |text: &str, field: &str| {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let line = text.lines().map(words).find(|words| words[0] == field);
        line.unwrap_or_else(|| panic!("{field}: {text}"))[1..].join(" ")
    };
    let status = run(&["status", &token]);
    assert_eq!((value(&status, "state"), value(&status, "token")), ("Mptcp".into(), token.clone()));
    assert_eq!(value(&status, "path_manager"), "Userspace");
    let connection = run(&["connection", &token]);
    assert_eq!(value(&connection, "local"), pair.client.local_addr().unwrap().to_string());
    if !subflows_lab::is_before(6, 5) {
        assert_eq!(value(&run(&["info", &token]), "bytes_sent"), "1 B");
    }
    let listed = subflows(&net.client, &["list", &token, "--json"]).objects();
    let details = run(&["details", &token, &listed[0]["id"].to_string()]);
    let rtt = value(&details, "rtt");
    assert!(rtt.ends_with(" us") || rtt.ends_with(" ms"), "{rtt}");
    assert_eq!(value(&details, "interface"), "-");
}
