//! What drivers written in Rust share: the protocol's lines, and sockets by the language's own
//! means. The protocol is told in tests/conform/PROTOCOL.md.

mod answer;
mod flow;
mod library;
mod own;
mod request;

use std::io::{self, BufRead, Write};

pub use answer::{Answer, Fault, Fields, list, record};
pub use library::Library;
pub use own::Sockets;
pub use request::Request;

/// The verbs of a language's library.
pub trait Verbs {
    /// Those that it has.
    fn names(&self) -> &'static [&'static str];
    /// Does what is asked with one of them.
    fn perform(&mut self, sockets: &mut Sockets, request: &Request) -> Answer;
}

/// Answers line after line until there is no more.
pub fn serve(language: &str, verbs: &mut dyn Verbs) {
    let mut driver = Driver { language, sockets: Sockets::default(), verbs, remedy: String::new() };
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        if line == "quit" {
            return;
        }
        let answer = driver.answer(&line);
        let mut out = io::stdout().lock();
        // Who does not listen any more has ended.
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

struct Driver<'a> {
    language: &'a str,
    sockets: Sockets,
    verbs: &'a mut dyn Verbs,
    remedy: String,
}

impl Driver<'_> {
    /// One line for one line.
    fn answer(&mut self, line: &str) -> String {
        // A child passes its parent what it would have said itself.
        if let Some(line) = line.strip_prefix("fork ") {
            return own::in_child(|| self.answer(line)).unwrap_or_else(|fault| fault.to_string());
        }
        match self.perform(line) {
            Ok(fields) => fields.to_string(),
            Err(fault) => {
                self.remedy = fault.remedy.clone();
                fault.to_string()
            }
        }
    }

    fn perform(&mut self, line: &str) -> Answer {
        let request = Request::parse(line)?;
        match request.verb() {
            "hello" => {
                let verbs = [own::VERBS, self.verbs.names()].concat().join(",");
                Ok(Fields::new().with("language", self.language).with("verbs", verbs))
            }
            "remedy" => Ok(Fields::new().with("remedy", &self.remedy)),
            verb if own::VERBS.contains(&verb) => self.sockets.perform(&request),
            verb if self.verbs.names().contains(&verb) => {
                self.verbs.perform(&mut self.sockets, &request)
            }
            verb => Err(Fault::protocol(format!("there is no verb {verb}"))),
        }
    }
}
