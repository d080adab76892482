//! A driver: a process that carries out requests in its language. See PROTOCOL.md.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use subflows_lab::Namespace;

use crate::judge;
use crate::language::Language;
use crate::protocol::{Answer, Request};
use crate::step_error::{Result, StepError, failed};

/// The longest wait for an answer. The timeouts in a driver are shorter, so that its own error
/// comes first.
const PATIENCE: Duration = Duration::from_secs(40);

/// How many bytes of a standard error are shown.
const ERRORS_MAX: usize = 600;

/// A driver that runs. Dropping it ends the process.
#[derive(Debug)]
pub struct Driver {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Receiver<String>,
    errors: File,
    /// Where in that file the errors of this variant begin.
    errors_start: u64,
    offered: HashSet<String>,
    /// The last request.
    last: String,
}

impl Driver {
    /// Starts the driver in a namespace, and asks which verbs it offers.
    pub fn start(mut command: Command, namespace: &Namespace) -> Result<Driver> {
        let errors = tempfile::tempfile()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors.try_clone()?);
        // The child itself may not be permitted to enter the namespace.
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
        let errors_start = 0;
        let mut driver = Driver { child, requests, answers, errors, errors_start, offered, last };
        driver.send("hello")?;
        let answer = driver.receive()?.done()?;
        let verbs: String = answer.value("verbs")?;
        driver.offered = verbs.split(',').map(str::to_owned).collect();
        Ok(driver)
    }

    /// A driver of the language: one that has played another variant, or a new one.
    pub fn of(language: &Language, namespace: &Namespace) -> Result<Driver> {
        let idle = language.idle().pop();
        let Some(mut driver) = idle else { return Driver::start(language.command(), namespace) };
        let number = namespace.fd().as_raw_fd();
        driver.enter(&format!("/proc/{}/fd/{number}", std::process::id()))?;
        driver.errors_start = driver.errors.metadata()?.len();
        Ok(driver)
    }

    /// Keeps the driver for another variant if it can move to another network namespace. Otherwise ends it.
    pub fn release(mut self, language: &Language) -> Result {
        if !self.offered.contains("enter") {
            return self.finish();
        }
        // So that the namespace ends together with the network.
        self.enter(&format!("/proc/{}/ns/net", std::process::id()))?;
        language.idle().push(self);
        Ok(())
    }

    fn enter(&mut self, path: &str) -> Result {
        self.ask(&Request::new("enter").with("namespace", path))?.0.done().map(drop)
    }

    /// Sends a request. Returns the answer and the time that it took.
    pub fn ask(&mut self, request: &Request) -> Result<(Answer, Duration)> {
        let start = Instant::now();
        self.begin(request)?;
        let answer = self.receive()?;
        Ok((answer, start.elapsed()))
    }

    /// Sends a request without waiting for the answer.
    pub fn begin(&mut self, request: &Request) -> Result {
        if let Some(missing) = request.verbs().find(|verb| !self.offered.contains(*verb)) {
            return Err(StepError::NotOffered(missing.to_owned()));
        }
        self.send(&request.to_string())
    }

    /// Waits for the answer to the request that was sent.
    pub fn receive(&mut self) -> Result<Answer> {
        let line = match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                return failed(format!("no answer within {PATIENCE:?}{}", self.errors()));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return failed(format!("the driver has ended{}", self.errors()));
            }
        };
        match Answer::parse(&line) {
            Some(Answer::Err(kind, _)) if kind == "Protocol" => {
                failed(format!("the driver does not understand the request{}", self.errors()))
            }
            Some(Answer::Err(kind, _)) if kind == "NotOffered" => {
                Err(StepError::NotOffered(self.last.clone()))
            }
            Some(answer) => Ok(answer),
            None => failed(format!("the driver sent an invalid answer: {line}")),
        }
    }

    /// Whether no answer has come yet. An answer that has come is lost.
    pub fn is_busy(&mut self) -> bool {
        self.answers.try_recv() == Err(TryRecvError::Empty)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The end of what the driver wrote to its standard error.
    pub fn errors(&mut self) -> String {
        let mut text = String::new();
        // The driver appends after what is read here: both descriptors share one file offset.
        let read = self.errors.seek(SeekFrom::Start(self.errors_start)).and_then(|_| {
            let mut bytes = Vec::new();
            self.errors.read_to_end(&mut bytes)?;
            text = String::from_utf8_lossy(&bytes).into_owned();
            Ok(())
        });
        if read.is_err() || text.is_empty() {
            return String::new();
        }
        let mut start = text.len().saturating_sub(ERRORS_MAX);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        format!("\n{}", text[start..].trim_end())
    }

    /// Closes the input of the driver, which must then exit soon and successfully.
    pub fn finish(mut self) -> Result {
        self.requests = None;
        let mut end = None;
        judge::soon(|| {
            end = self.child.try_wait()?;
            Ok(end.is_none().then(|| "the driver does not exit at the end of its input".to_owned()))
        })?;
        match end {
            Some(status) if !status.success() => {
                failed(format!("the driver ended with {status}{}", self.errors()))
            }
            _ => Ok(()),
        }
    }

    fn send(&mut self, line: &str) -> Result {
        line.clone_into(&mut self.last);
        let Some(requests) = &mut self.requests else { return failed("the driver has ended") };
        if writeln!(requests, "{line}").and_then(|()| requests.flush()).is_err() {
            return failed(format!("the driver has ended{}", self.errors()));
        }
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.requests = None;
        // Both calls fail only if the process has already been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
