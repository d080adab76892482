//! What the drivers written in Rust share: the lines of the protocol, and the language's own
//! sockets. The protocol is in tests/conform/PROTOCOL.md.

mod answer;
mod child;
mod library;
mod plain_sockets;
mod request;
mod transfer;

use std::io::{self, BufRead, Write};

pub use answer::{Answer, Fault, Fields, list, record};
pub use library::Library;
pub use plain_sockets::PlainSockets;
pub use request::Request;

/// The verbs of a language's library.
pub trait Verbs {
    /// Their names.
    fn names(&self) -> Vec<&'static str>;
    /// Carries out a request.
    fn perform(&mut self, sockets: &mut PlainSockets, request: &Request) -> Answer;
}

/// Answers the lines of standard input until its end.
pub fn serve(language: &str, verbs: &mut dyn Verbs) {
    let sockets = PlainSockets::default();
    let mut driver = Driver { language, sockets, verbs, remedy: String::new() };
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        if line == "quit" {
            return;
        }
        let answer = driver.answer(&line);
        let mut out = io::stdout().lock();
        // An error means that the runner has exited.
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

struct Driver<'a> {
    language: &'a str,
    sockets: PlainSockets,
    verbs: &'a mut dyn Verbs,
    remedy: String,
}

impl Driver<'_> {
    fn answer(&mut self, line: &str) -> String {
        if let Some(line) = line.strip_prefix("fork ") {
            return child::run(|| self.answer(line)).unwrap_or_else(|fault| fault.to_string());
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
                let verbs = [&["fork", "remedy"], plain_sockets::VERBS, &self.verbs.names()];
                let verbs = verbs.concat().join(",");
                Ok(Fields::new().with("language", self.language).with("verbs", verbs))
            }
            "remedy" => Ok(Fields::new().with("remedy", &self.remedy)),
            verb if plain_sockets::VERBS.contains(&verb) => self.sockets.perform(&request),
            _ => self.verbs.perform(&mut self.sockets, &request),
        }
    }
}
