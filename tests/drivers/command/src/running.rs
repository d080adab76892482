//! A command that runs until it is asked to end: `announce`, and `events`.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use subflows_driver::{Answer, Fault, Fields};

use crate::{fault, fields, parse};

/// How long the command may take to print what it has learned: it runs in another process.
const ROOM: Duration = Duration::from_millis(100);

/// The command, and the lines that it prints.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: BufReader<ChildStderr>,
    /// Whether the command only runs while a request waits for it, as a library only reads when it is called.
    is_stopped: bool,
}

impl Running {
    /// Starts `announce`, and returns what it announced.
    pub(crate) fn announce(command: &mut Command) -> Result<(Running, Value), Fault> {
        let mut running = Running::start(command)?;
        match running.lines.recv() {
            Ok(line) => Ok((running, parse(&line)?)),
            Err(_) => Err(running.failed()),
        }
    }

    /// Starts `events`. It follows them once its note on standard error has come.
    pub(crate) fn events(command: &mut Command) -> Result<Running, Fault> {
        let mut running = Running::start(command)?;
        let mut line = String::new();
        running.errors.read_line(&mut line)?;
        if !line.starts_with("subflows: following") {
            return Err(fault(&line));
        }
        running.signal(Signal::SIGSTOP);
        running.is_stopped = true;
        Ok(running)
    }

    fn start(command: &mut Command) -> Result<Running, Fault> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let with_driver = || Ok(set_pdeathsig(Signal::SIGKILL)?);
        // SAFETY: prctl(2) is async-signal-safe.
        unsafe { command.pre_exec(with_driver) };
        let mut child = command.spawn()?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Fault::protocol("the command has no output"));
        };
        let lines = follow(stdout);
        Ok(Running { child, lines, errors: BufReader::new(stderr), is_stopped: false })
    }

    /// The next event, or nothing if none comes in time.
    pub(crate) fn next(&mut self, timeout_ms: u64) -> Answer {
        if let Ok(line) = self.lines.try_recv() {
            return Ok(fields("", &parse(&line)?));
        }
        self.signal(Signal::SIGCONT);
        let line = self.lines.recv_timeout(Duration::from_millis(timeout_ms).max(ROOM));
        self.signal(Signal::SIGSTOP);
        match line {
            Ok(line) => Ok(fields("", &parse(&line)?)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(Fields::new()),
        }
    }

    /// How many connections of other hosts it has turned away since it was last asked.
    pub(crate) fn turned_away(&mut self) -> Answer {
        let mut count = 0;
        while let Ok(line) = self.lines.recv_timeout(ROOM) {
            count += parse(&line)?["turned_away"].as_u64().unwrap_or(0);
        }
        Ok(Fields::new().with("count", count))
    }

    /// Asks the command to end, as Ctrl-C does.
    pub(crate) fn end(mut self) -> Result<(), Fault> {
        if self.is_stopped {
            return Ok(());
        }
        self.signal(Signal::SIGINT);
        if self.child.wait()?.success() { Ok(()) } else { Err(self.failed()) }
    }

    /// Why it has ended.
    fn failed(&mut self) -> Fault {
        let mut text = String::new();
        match self.errors.read_to_string(&mut text) {
            Ok(_) => fault(&text),
            Err(error) => error.into(),
        }
    }

    fn signal(&self, signal: Signal) {
        // It may have ended, but it has not been waited for, so the number is still its own.
        let _ = i32::try_from(self.child.id()).map(|child| kill(Pid::from_raw(child), signal));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines as they come.
fn follow(stdout: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        let read = BufReader::new(stdout).lines().map_while(Result::ok);
        read.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
    });
    lines
}
