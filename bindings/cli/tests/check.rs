//! `serve-check`: what it answers over Multipath TCP and TCP, to programs, a browser, and hostile clients.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use serde_json::Value;
use subflows::Connect;
use subflows_lab::{Namespace, Net, oracle, skip, skip_unless_ready};

/// The service, in a namespace.
struct Service {
    process: Child,
    address: SocketAddr,
}

impl Service {
    fn start(namespace: &Namespace, arguments: &[&str]) -> Service {
        let mut command = namespace.command(SUBFLOWS);
        command.arg("serve-check").args(arguments).stdin(Stdio::null());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("subflows: serving http://").expect(&line);
        let address = address.trim_end_matches('/').parse().unwrap();
        Service { process, address }
    }

    /// Ends it as Ctrl-C does, and returns what it has printed.
    fn end(mut self) -> String {
        Command::new("kill").args(["-INT", &self.process.id().to_string()]).status().unwrap();
        let mut printed = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
        printed
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends bytes, and reads the answer to its end.
fn ask(mut stream: &TcpStream, request: &str) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(accept: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\n\r\n")
}

#[test]
fn the_answer_has_the_subflows_that_ss_shows() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    net.client.ip(&["mptcp", "endpoint", "add", "10.0.2.1", "subflow", "dev", "eth1"]).unwrap();
    let service =
        Service::start(&net.server, &["--listen", "10.0.1.2:0", "--wait", "30s", "--json"]);
    let mptcp = || net.client.run(|| subflows::connect(service.address, &Connect::new())).unwrap();
    let tcp = || net.client.run(|| TcpStream::connect(service.address)).unwrap();

    let stream = mptcp();
    let answer = ask(&stream, &get("application/json"));
    let (header, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(header.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json"), "{header}");
    let seen: Value = serde_json::from_str(body).unwrap();
    assert_eq!(seen["client"], stream.local_addr().unwrap().to_string());
    assert_eq!(seen["status"]["state"], "Mptcp");
    let remotes = |seen: &Value| -> Vec<String> {
        let all = seen["subflows"].as_array().unwrap().iter();
        all.map(|one| one["remote"].as_str().unwrap().to_owned()).collect()
    };
    let shown = oracle::ss_subflows(&net.client);
    let ours = shown.iter().filter(|shown| shown.remote == service.address);
    let mut ours: Vec<_> = ours.map(|shown| shown.local.to_string()).collect();
    let mut found = remotes(&seen);
    ours.sort();
    found.sort();
    assert_eq!(found.len(), 2, "{seen}");
    assert_eq!(found, ours);
    drop(stream);

    let text = ask(&mptcp(), &get("*/*"));
    assert!(
        text.contains("\r\n\r\nMultipath TCP: yes\n") && text.contains("subflow 2  10.0.2.1:"),
        "{text}"
    );
    let page = ask(&mptcp(), &get("text/html,*/*;q=0.8"));
    assert!(page.contains("<h1 class=\"yes\">Multipath TCP: yes</h1>"), "{page}");
    let text = ask(&tcp(), &get("*/*"));
    assert!(text.contains("\r\n\r\nMultipath TCP: no\n") && text.contains("did not ask"), "{text}");
    let head = ask(&tcp(), "HEAD / HTTP/1.0\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");

    // As people ask.
    let mut curl = net.client.command("curl");
    let url = format!("http://{}/", service.address);
    match curl.args(["--silent", "--header", "Accept: application/json", &url]).output() {
        Ok(output) => {
            let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((&seen["status"]["state"], &seen["info"]), (&"Tcp".into(), &Value::Null));
        }
        Err(_) => skip("needs curl(1)"),
    }
    let printed = service.end();
    // Multipath TCP and plain TCP, to the client and on standard output.
    let lines = printed.lines().map(|line| serde_json::from_str(line).unwrap());
    schema::check("serve-check", &lines.chain([seen]).collect());
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    assert_eq!(first["subflows"].as_array().unwrap().len(), 2, "{first}");
    assert!(printed.lines().count() >= 5, "{printed}");
}

/// The addresses of this network are its own, so the browser runs in it.
#[test]
fn a_browser_shows_the_page() {
    skip_unless_ready!();
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let is_there = |name: &&str| {
        Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    };
    let Some(browser) = browsers.into_iter().find(is_there) else {
        return skip("needs a browser: chromium(1)");
    };
    let net = Net::two_subnets().unwrap();
    let service = Service::start(&net.server, &["--listen", "10.0.1.2:0"]);
    let profile = tempfile::tempdir().unwrap();
    let mut command = net.client.command("timeout");
    command.env("HOME", profile.path()).args(["120", browser]);
    command.args(["--headless", "--no-sandbox", "--disable-gpu"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    let url = format!("http://{}/", service.address);
    let output = command.args(["--dump-dom", &url]).stderr(Stdio::null()).output().unwrap();
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.contains("Multipath TCP: no") && page.contains("<code>10.0.1.1:"), "{page}");
}

#[test]
fn hostile_clients_do_not_keep_others_waiting() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let rules = ["--listen", "127.0.0.1:0", "--max-clients", "16", "--timeout", "60s"];
    let service = Service::start(&namespace, &rules);
    let connect = || namespace.run(|| TcpStream::connect(service.address)).unwrap();
    // More than are served at once: the oldest are dropped.
    let silent: Vec<_> = (0..100).map(|_| connect()).collect();
    for part in silent.iter().rev().take(8) {
        (&*part).write_all(b"GET / HT").unwrap();
    }
    assert!(ask(&connect(), &get("*/*")).contains("Multipath TCP: no"));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
    let long = "x".repeat(9000);
    for (request, status) in [
        ("\u{1}\u{2}\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345", "405"),
        ("GET /../../etc/passwd HTTP/1.1\r\n\r\n", "404"),
        (&many, "431"),
        (&format!("GET /{long}"), "431"),
    ] {
        let answer = ask(&connect(), request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
    }
    // One that leaves in the middle, and one that closes its direction early.
    drop(connect());
    let early = connect();
    (&early).write_all(b"GET /").unwrap();
    early.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = String::new();
    assert_eq!((&early).read_to_string(&mut rest).unwrap(), 0);
    assert!(ask(&connect(), &get("*/*")).contains("Multipath TCP: no"));
    service.end();
}

#[test]
fn a_slow_client_is_dropped_at_its_deadline() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let service = Service::start(&namespace, &["--listen", "127.0.0.1:0", "--timeout", "300ms"]);
    // Before the connection: the service counts from the moment at which it accepts.
    let start = Instant::now();
    let mut slow = namespace.run(|| TcpStream::connect(service.address)).unwrap();
    slow.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    // A byte now and then keeps a connection alive, but not the client.
    loop {
        let mut byte = [0];
        match slow.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => panic!("it got an answer"),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(start.elapsed() < Duration::from_secs(30));
                let _ = slow.write_all(b"x");
            }
            Err(_) => break,
        }
    }
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(service.end(), "");
}
