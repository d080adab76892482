//! A driver: a process that does in its language what it is asked, one line at a time.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use subflows_lab::Namespace;

use crate::judge;
use crate::protocol::{Answer, Request};
use crate::trouble::{Result, Trouble, failed};

/// Longer than anything that a driver does, so that its own answer comes first.
const PATIENCE: Duration = Duration::from_secs(40);

/// How much of what a driver complains of is shown.
const COMPLAINTS: usize = 600;

/// A driver that runs. It ends with this value.
#[derive(Debug)]
pub struct Driver {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
    complaints: File,
    offered: HashSet<String>,
    /// What was asked last, for people.
    last: String,
}

impl Driver {
    /// Starts it in a namespace, and asks what it offers.
    pub fn start(mut command: Command, namespace: &Namespace) -> Result<Driver> {
        let complaints = tempfile::tempfile()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(complaints.try_clone()?);
        // Not the child enters it: it may have no right to, by then.
        let entered = namespace.enter()?;
        let mut child = command.spawn()?;
        drop(entered);
        let requests = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let (sender, answers) = channel();
        thread::spawn(move || {
            lines.map_while(std::result::Result::ok).try_for_each(|line| sender.send(line))
        });
        let (offered, last) = (HashSet::new(), String::new());
        let mut driver = Driver { child, requests, answers, complaints, offered, last };
        driver.send("hello")?;
        let told = driver.receive()?.done()?;
        let verbs: String = told.value("verbs")?;
        driver.offered = verbs.split(',').map(str::to_owned).collect();
        Ok(driver)
    }

    /// Asks, and waits for the answer and how long it took.
    pub fn ask(&mut self, request: &Request) -> Result<(Answer, Duration)> {
        let start = Instant::now();
        self.begin(request)?;
        let answer = self.receive()?;
        Ok((answer, start.elapsed()))
    }

    /// Asks, and leaves the answer for later.
    pub fn begin(&mut self, request: &Request) -> Result {
        if let Some(missing) = request.verbs().find(|verb| !self.offered.contains(*verb)) {
            return Err(Trouble::NotOffered(missing.to_owned()));
        }
        self.send(&request.to_string())
    }

    /// Waits for the answer of what was begun.
    pub fn receive(&mut self) -> Result<Answer> {
        let line = match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                return failed(format!("no answer within {PATIENCE:?}{}", self.complaints()));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return failed(format!("the driver has ended{}", self.complaints()));
            }
        };
        match Answer::parse(&line) {
            Some(Answer::Err(kind, _)) if kind == "Protocol" => {
                failed(format!("the driver does not understand{}", self.complaints()))
            }
            Some(Answer::Err(kind, _)) if kind == "NotOffered" => {
                Err(Trouble::NotOffered(self.last.clone()))
            }
            Some(answer) => Ok(answer),
            None => failed(format!("the driver says what is no answer: {line}")),
        }
    }

    /// Whether what was begun still goes on. An answer that is there is lost.
    pub fn is_busy(&mut self) -> bool {
        self.answers.try_recv() == Err(TryRecvError::Empty)
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What was asked last.
    pub fn last(&self) -> &str {
        &self.last
    }

    /// The last words on its standard error.
    pub fn complaints(&mut self) -> String {
        let mut text = String::new();
        // The driver writes on behind what is read: both share one place in the file.
        let read = self.complaints.rewind().and_then(|()| {
            let mut bytes = Vec::new();
            self.complaints.read_to_end(&mut bytes)?;
            text = String::from_utf8_lossy(&bytes).into_owned();
            Ok(())
        });
        if read.is_err() || text.is_empty() {
            return String::new();
        }
        let mut start = text.len().saturating_sub(COMPLAINTS);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        format!("\n{}", text[start..].trim_end())
    }

    /// Ends it as its reader would, by the end of its input: it must end well, and soon.
    pub fn finish(mut self) -> Result {
        self.requests = None;
        let mut end = None;
        judge::soon(|| {
            end = self.child.try_wait()?;
            Ok(end.is_none().then(|| "the driver does not end with its input".to_owned()))
        })?;
        match end {
            Some(status) if !status.success() => {
                failed(format!("the driver ended with {status}{}", self.complaints()))
            }
            _ => Ok(()),
        }
    }

    fn send(&mut self, line: &str) -> Result {
        line.clone_into(&mut self.last);
        let Some(requests) = &mut self.requests else { return failed("the driver has ended") };
        if writeln!(requests, "{line}").and_then(|()| requests.flush()).is_err() {
            return failed(format!("the driver has ended{}", self.complaints()));
        }
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.requests = None;
        // Both fail only where it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
