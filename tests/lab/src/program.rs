//! A program that a test runs, and the lines that it prints.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::testing::wait_until;

/// How long a program may take to connect, or to print its next line. Under valgrind it needs seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program. Dropping it kills it. Every function panics if the program does not do what the
/// function waits for.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    /// Starts a program; its standard output is read here.
    #[track_caller]
    pub fn start(mut command: Command) -> Program {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = child.stdout.take().expect("a pipe");
        let (sender, lines) = channel();
        // Ends with the program, or when its lines are no longer read.
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            let _ = lines.into_iter().try_for_each(|line| sender.send(line));
        });
        Program { child, lines }
    }

    /// Waits for the next line; returns `None` if the program has closed its output.
    #[track_caller]
    fn next_line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line within {PATIENCE:?}"),
        }
    }

    /// Waits for the next line and returns it.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.next_line().expect("another line")
    }

    /// Waits for a line that contains `words` and returns it. Earlier lines are skipped.
    #[track_caller]
    pub fn line_with(&mut self, words: &str) -> String {
        let mut before = Vec::new();
        while let Some(line) = self.next_line() {
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

    /// Waits until the program ends with success, and returns the lines that were not yet read.
    #[track_caller]
    pub fn end(mut self) -> Vec<String> {
        let lines = std::iter::from_fn(|| self.next_line()).collect::<Vec<_>>();
        let status = self.child.wait().expect("a child");
        assert!(status.success(), "{status}: {lines:?}");
        lines
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only if the program has already ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
