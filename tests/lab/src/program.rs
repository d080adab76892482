//! A program that a test runs, and the lines that it prints.

use std::io::{BufRead, BufReader, Lines};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::testing::wait_until;

/// How long a program may take to connect. Under valgrind it needs seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program. Dropping it kills it. Every function panics if the program does not do what the
/// function waits for.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Starts a program, of which the standard output is read here.
    #[track_caller]
    pub fn start(mut command: Command) -> Program {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = child.stdout.take().expect("a pipe");
        Program { child, lines: BufReader::new(output).lines() }
    }

    /// Waits for the next line and returns it.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.lines.next().expect("another line").expect("text")
    }

    /// Waits for a line that contains `words` and returns it. Earlier lines are skipped.
    #[track_caller]
    pub fn line_with(&mut self, words: &str) -> String {
        let mut before = Vec::new();
        for line in self.lines.by_ref().map_while(Result::ok) {
            if line.contains(words) {
                return line;
            }
            before.push(line);
        }
        panic!("no line with {words:?} in {before:?}");
    }

    /// Waits until the program connects to `listener` and returns the connection.
    #[track_caller]
    pub fn accepted_by(&mut self, listener: &TcpListener) -> TcpStream {
        listener.set_nonblocking(true).expect("a listener");
        let mut stream = None;
        wait_until(PATIENCE, "the program to connect", || {
            stream = listener.accept().ok();
            let ended = self.child.try_wait().expect("a child");
            assert!(stream.is_some() || ended.is_none(), "the program has ended: {ended:?}");
            stream.is_some()
        });
        let (stream, _) = stream.expect("a connection");
        stream.set_nonblocking(false).expect("a connection");
        stream
    }

    /// Waits until the program ends with success and returns the lines that were not read yet.
    #[track_caller]
    pub fn end(mut self) -> Vec<String> {
        let lines = self.lines.by_ref().map_while(Result::ok).collect();
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "{status}: {lines:?}");
        lines
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only after the program has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
