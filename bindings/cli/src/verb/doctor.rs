//! `subflows doctor [HOST:PORT | TOKEN]`

use std::fmt::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use anstyle::Style;
use clap::Args;
use subflows::{ErrorKind, Finding, Severity};

use crate::borrow_socket::borrow;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::table::{BAD, FAINT, GOOD, NOTE};
use crate::token::WrittenToken;

const MORE_HELP: &str = "\
Prints the likeliest reason first, with what helps. With --json, each finding is an object on a line of
its own; its member `kind` has the names of the section Findings in REFERENCE.md, which stay the same.

Examples:
  subflows doctor                       this host
  subflows doctor example.org:443       connections to that server: also routes, and what answers
  subflows doctor 4f2a9c01              one connection, borrowed from the process that holds it

Exit status: 0 if nothing prevents a second subflow (remarks do not count), 1 if something was found or the
examination failed, 2 for a usage error, 3 if borrowing the connection is not permitted, 4 if no connection
has the token.";

/// Find out why there is no second subflow, or why a connection is plain TCP
///
/// Changes nothing. For HOST:PORT, one connection is made and closed again, without data, to the first address
/// of the name.
#[derive(Args, Debug)]
#[command(after_help = MORE_HELP)]
pub(crate) struct Doctor {
    /// A server, or the token of a connection [default: this host alone]
    #[arg(value_name = "HOST:PORT | TOKEN")]
    target: Option<Target>,
    /// How long the server has to answer, such as 5s or 500ms
    #[arg(long, value_name = "TIME", default_value = "5s")]
    #[arg(value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// What is examined. Only the name of a server has a colon.
#[derive(Clone, Debug)]
enum Target {
    Server(String),
    Connection(WrittenToken),
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Target, &'static str> {
        if text.contains(':') {
            let port = text.rsplit(':').next().unwrap_or_default();
            return match port.parse::<u16>() {
                Ok(1..) => Ok(Target::Server(text.to_owned())),
                _ => Err("expected HOST:PORT: example.org:443, 192.0.2.1:443, [2001:db8::1]:443"),
            };
        }
        let token = text.parse().map(Target::Connection);
        token.map_err(|_| "expected HOST:PORT, or a token as `subflows connections` prints it")
    }
}

impl Doctor {
    pub(super) fn run(&self, out: &mut Output) -> Result<u8, Failure> {
        let found = match &self.target {
            Some(Target::Connection(token)) => subflows::diagnose(&borrow(token.resolve()?)?)?,
            Some(Target::Server(name)) => subflows::doctor(&self.options().remote(resolve(name)?))?,
            None => subflows::doctor(&self.options())?,
        };
        if out.is_json() {
            for one in &found {
                out.record(one)?;
            }
        } else {
            out.line(text(&found))?;
        }
        let is_healthy = found.iter().all(|one| one.severity == Severity::Notice);
        Ok(if is_healthy { Exit::Done } else { Exit::Failed }.into())
    }

    fn options(&self) -> subflows::Doctor {
        subflows::Doctor::new().timeout(self.timeout)
    }
}

/// The first address of a name, which a program tries first as well.
fn resolve(name: &str) -> Result<SocketAddr, Failure> {
    let found = name.to_socket_addrs().map(|mut all| all.next());
    let why = match found {
        Ok(Some(address)) => return Ok(address),
        Ok(None) => "it has no address".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Failure::new(ErrorKind::Unreachable, format!("cannot find {name}: {why}"))
        .remedy("Check the name: getent ahosts NAME."))
}

/// One reason first, then what was noticed besides.
fn text(found: &[Finding]) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, found);
    text.trim_end().to_owned()
}

fn write(text: &mut String, found: &[Finding]) -> fmt::Result {
    let (first, others) = match found.split_first() {
        Some((first, others)) if first.severity != Severity::Notice => (Some(first), others),
        _ => (None, found),
    };
    match first {
        Some(first) => write_one(text, first)?,
        None => writeln!(text, "{GOOD}nothing prevents a second subflow{GOOD:#}")?,
    }
    if !others.is_empty() {
        writeln!(text, "\nalso noticed:")?;
    }
    others.iter().try_for_each(|one| write_one(text, one))
}

fn write_one(
    text: &mut String,
    Finding { kind, severity, explanation, remedy, .. }: &Finding,
) -> fmt::Result {
    let style: Style = match severity {
        Severity::Blocking => BAD,
        Severity::Likely => NOTE,
        _ => FAINT,
    };
    writeln!(text, "{style}{kind}{style:#}: {explanation}\n    {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_distinguishes_a_server_from_a_token() {
        for text in ["example.org:443", "192.0.2.1:443", "[2001:db8::1]:443"] {
            assert!(matches!(text.parse(), Ok(Target::Server(_))), "{text}");
        }
        for text in ["4f2a9c01", "0x1f"] {
            assert!(matches!(text.parse(), Ok(Target::Connection(_))), "{text}");
        }
        for text in ["example.org", "example.org:", "example.org:0", "example.org:https", ""] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
