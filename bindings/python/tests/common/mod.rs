//! Programs in Python, with the package as it was just built, in networks of the lab.
#![allow(dead_code, unreachable_pub)]

use std::io::{BufRead, BufReader, Lines};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use subflows_conform::{language, python};
use subflows_lab::{Namespace, Net, WireOptions, wait_until};

/// Long enough for anything on a busy machine that is not meant to take time.
pub const SOON: Duration = Duration::from_secs(30);

/// The root of the repository.
pub fn root() -> PathBuf {
    language::root()
}

/// A command that runs an interpreter, which finds the package, in a namespace.
pub fn interpreter(namespace: &Namespace) -> Command {
    static PATHS: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    let (program, module) =
        PATHS.get_or_init(|| (python::interpreter().unwrap(), python::module(&root()).unwrap()));
    let mut command = namespace.command(program);
    // The tree stays free of compiled modules.
    command.arg("-B").env("PYTHONPATH", module).stdout(Stdio::piped());
    command
}

/// Two slow paths, the second over an interface of this name.
pub fn two_wires(second: &str) -> Net {
    let rate = WireOptions { rate_bits_per_second: Some(50_000_000), ..WireOptions::default() };
    Net::wires(&[("first", rate), (second, rate)]).unwrap()
}

/// A listener at the server's address on the first path.
pub fn listen(net: &Net) -> (TcpListener, SocketAddr) {
    let to = SocketAddr::new(IpAddr::V4(net.paths[0].server_v4), 0);
    let options = subflows::Listen::new();
    let listener = net.server.run(|| subflows::listen(to, &options)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A running program and its output. Dropping it ends the program.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    #[track_caller]
    pub fn line(&mut self) -> String {
        self.lines.next().expect("another line").unwrap()
    }

    /// Its connection, unless it ends before it makes one.
    pub fn accepted_by(&mut self, listener: &TcpListener) -> TcpStream {
        listener.set_nonblocking(true).unwrap();
        let mut stream = None;
        wait_until(SOON, "the program connects", || {
            stream = listener.accept().ok();
            let ended = self.child.try_wait().unwrap();
            assert!(stream.is_some() || ended.is_none(), "{ended:?}");
            stream.is_some()
        });
        let (stream, _) = stream.unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    }

    /// The remaining lines of a program that succeeds.
    #[track_caller]
    pub fn end(mut self) -> Vec<String> {
        let lines = self.lines.by_ref().map(Result::unwrap).collect();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {lines:?}");
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
