//! What the tests share: the real binary, run in networks of the lab, as root and as nobody.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use subflows::{Connect, Listen};
use subflows_lab::{Namespace, Net, skip};
use tempfile::TempDir;

pub mod schema;

pub const SUBFLOWS: &str = env!("CARGO_BIN_EXE_subflows");

/// Long enough, on a busy machine, for everything that should be immediate.
pub const SOON: Duration = Duration::from_secs(10);

/// An ordinary user and group without files and privileges.
const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

/// The result of a run of the command.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    #[track_caller]
    pub fn of(command: &mut Command) -> Run {
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Checks that it succeeded, and returns its output.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Checks that it succeeded and printed a JSON object on each line; returns them as an array.
    #[track_caller]
    pub fn objects(self) -> Value {
        let parse = |line| serde_json::from_str::<Value>(line).unwrap();
        let objects: Vec<_> = self.ok().lines().map(parse).collect();
        assert!(objects.iter().all(Value::is_object), "{objects:?}");
        Value::Array(objects)
    }

    /// Checks that it succeeded and printed one JSON object on one line.
    #[track_caller]
    pub fn json(self) -> Value {
        let text = self.ok();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Checks that it printed only a message on standard error and ended with this code.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self.stderr
    }

    /// As `fails`, with `--json`: the kind of the error.
    #[track_caller]
    pub fn fails_with(self, code: i32) -> String {
        let text = self.fails(code);
        let error: Value = serde_json::from_str(&text).expect(&text);
        error["error"]["kind"].as_str().unwrap().to_owned()
    }
}

/// Runs the command in a namespace.
#[track_caller]
pub fn subflows(namespace: &Namespace, arguments: &[&str]) -> Run {
    Run::of(namespace.command(SUBFLOWS).args(arguments))
}

/// Whether the test may switch to another user: not if it is root only in a user namespace.
pub fn has_nobody() -> bool {
    let tried = Command::new("setpriv").args(NOBODY).arg("true").stderr(Stdio::null()).status();
    let is_had = tried.is_ok_and(|status| status.success());
    if !is_had {
        skip("needs root and setpriv(1), to run as another user");
    }
    is_had
}

/// The arguments of setpriv(1) that run a program as nobody.
pub fn as_nobody(command: &mut Command, program: impl AsRef<OsStr>) {
    command.args(NOBODY).arg(program);
}

/// A folder that every user may write to, with the command in it; removed with the value.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Folder {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        Folder(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> String {
        self.path().join(name).into_os_string().into_string().unwrap()
    }

    /// A copy of the command that other users may execute, wherever the original is. Another
    /// process writes it: a child that another thread starts would inherit the descriptor that is
    /// open for writing, and a file that is open for writing cannot be executed.
    pub fn command(&self) -> String {
        let copy = self.file("subflows");
        let status = Command::new("install").args(["--mode=755", SUBFLOWS, &copy]).status();
        assert!(status.unwrap().success());
        copy
    }
}

/// The writing end of a pipe whose reader is closed.
pub fn broken_pipe() -> OwnedFd {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    ours.into()
}

/// A connection that this process holds, which is another process for the command.
pub struct Pair {
    pub client: TcpStream,
    pub server: TcpStream,
    pub listener: TcpListener,
}

impl Pair {
    #[track_caller]
    pub fn new(net: &Net, to: IpAddr, control: bool) -> Pair {
        let address = SocketAddr::new(to, 0);
        let listener = net.server.run(|| subflows::listen(address, &Listen::new())).unwrap();
        let address = listener.local_addr().unwrap();
        let options = Connect::new().control(control);
        let client = net.client.run(|| subflows::connect(address, &options)).unwrap();
        let (server, _) = listener.accept().unwrap();
        for stream in [&client, &server] {
            stream.set_read_timeout(Some(SOON)).unwrap();
            stream.set_write_timeout(Some(SOON)).unwrap();
        }
        let pair = Pair { client, server, listener };
        pair.move_data();
        pair
    }

    /// A byte in each direction.
    #[track_caller]
    pub fn move_data(&self) {
        let mut byte = [0];
        (&self.client).write_all(b"?").unwrap();
        (&self.server).read_exact(&mut byte).unwrap();
        (&self.server).write_all(b"!").unwrap();
        (&self.client).read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"!");
    }

    /// The client's token, as the command line takes it.
    pub fn token(&self, net: &Net) -> String {
        let status = net.client.run(|| subflows::status(&self.client)).unwrap();
        format!("{:08x}", status.token.unwrap())
    }
}

/// Two subnets, with a controlled connection to that address of the server, and its token.
pub fn held(server: impl Fn(&Net) -> IpAddr) -> (Net, Pair, String) {
    let net = Net::two_subnets().unwrap();
    let pair = Pair::new(&net, server(&net), true);
    let token = pair.token(&net);
    (net, pair, token)
}

/// The names of the fields of a JSON object, in its order.
#[track_caller]
pub fn names(json: &Value) -> Vec<&str> {
    json.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The names of the fields of a record, from core's table.
pub fn fields(table: &[subflows::table::Field]) -> Vec<&'static str> {
    table.iter().map(|field| field.name).collect()
}
