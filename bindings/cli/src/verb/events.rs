//! `subflows events [TOKEN]`

use std::fmt::Write as _;
use std::io;
use std::time::{Duration, SystemTime};

use bytesize::ByteSize;
use clap::Args;
use subflows::table::Reflect;
use subflows::{ErrorKind, Event, EventKind};

use crate::borrow_socket::borrow;
use crate::failure::Failure;
use crate::json::Writer;
use crate::output::{Output, note};
use crate::stop::readable;
use crate::table::NOTHING;
use crate::token::{Token, WrittenToken};
use crate::units;

/// How often to look whether the connection has ended: the kernel does not report every end.
const LOOK: Duration = Duration::from_secs(1);
/// How many events are printed at once at most.
const BATCH: usize = 1024;

/// Follow the events of one connection, or of all in this network namespace, from now on
///
/// Prints a line for each event as it comes, until Ctrl-C or, with TOKEN, until the connection ends. With
/// --json, each line also has the time (`time`, RFC 3339, UTC). Once events are followed, a line on
/// standard error reports it. Requires CAP_NET_ADMIN.
#[derive(Args, Debug)]
pub(crate) struct Events {
    /// The connection; without one, every connection and every listener is followed
    token: Option<WrittenToken>,
    /// End after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How much the kernel keeps of events that this command has not read yet: more are lost, which a Lost event
    /// reports
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = size)]
    buffer: u32,
}

fn size(text: &str) -> Result<u32, &'static str> {
    let size = text.parse::<ByteSize>().ok().and_then(|ByteSize(bytes)| i32::try_from(bytes).ok());
    let size = size.and_then(|bytes| u32::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
    size.ok_or("expected a number and a unit up to 2GB, such as 256kB or 8MiB")
}

impl Events {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let token = self.token.map(WrittenToken::resolve).transpose()?;
        // The socket is given back at once: a close of its program must end the connection.
        let mut events = match token {
            Some(token) => subflows::events(&borrow(token)?)?,
            None => subflows::Events::of_namespace()?,
        };
        events.set_buffer(self.buffer);
        match token {
            Some(token) => note(format_args!("following the events of connection {token}")),
            None => note("following the events of this network namespace"),
        }
        if !out.is_json() {
            out.line(line(["TIME", "TOKEN", "EVENT", "LOCAL", "REMOTE"], ""))?;
        }
        let mut left = self.count.unwrap_or(u64::MAX);
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH && (batch.len() as u64) < left {
                let Some(event) = events.try_next()? else { break };
                batch.push(event);
            }
            left -= batch.len() as u64;
            print(out, &batch)?;
            let is_over = |event: &Event| token.is_some() && event.kind == EventKind::Closed;
            if left == 0 || batch.iter().any(is_over) {
                return Ok(());
            }
            if !batch.is_empty() {
                continue;
            }
            let found = readable(&[events.fd()], LOOK);
            let found = found.map_err(|error| Failure::system("events: cannot wait", &error))?;
            if let (Some(token), false) = (token, found[0]) {
                let gone = subflows::connection(token.0).err();
                if gone.is_some_and(|error| error.kind() == ErrorKind::Closed) {
                    note(format_args!("connection {token} has ended"));
                    return Ok(());
                }
            }
        }
    }
}

fn print(out: &mut Output, events: &[Event]) -> io::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let now = SystemTime::now();
    if out.is_json() {
        let time = humantime::format_rfc3339_micros(now).to_string();
        let mut writer = Writer::default();
        return out.objects(events, |text, event| timed(&mut writer, text, &time, event));
    }
    let time = humantime::format_rfc3339_millis(now).to_string();
    let lines: Vec<_> = events.iter().map(|event| text(&time, event)).collect();
    out.line(lines.join("\n"))
}

/// The event's fields after the time.
fn timed(writer: &mut Writer, text: &mut Vec<u8>, time: &str, event: &Event) {
    text.extend_from_slice(b"{\"time\":\"");
    text.extend_from_slice(time.as_bytes());
    text.extend_from_slice(b"\",");
    writer.write_fields(text, event);
    text.push(b'}');
}

fn text(time: &str, event: &Event) -> String {
    let end = |end: Option<_>| end.map_or(NOTHING.to_owned(), units::address);
    let token = event.token.map_or(NOTHING.to_owned(), |token| Token(token).to_string());
    let (local, remote) = (end(event.local), end(event.remote));
    line([time, &token, event.kind.name(), &local, &remote], &notes(event))
}

/// A line of the table. Its columns have room for IPv4; a longer address moves the rest of its line.
fn line([time, token, event, local, remote]: [&str; 5], notes: &str) -> String {
    let line = format!("{time:<24}  {token:<8}  {event:<18}  {local:<21}  {remote:<21}  {notes}");
    line.trim_end().to_owned()
}

/// The fields that only some events have, each with its name.
fn notes(event: &Event) -> String {
    let mut notes = String::new();
    for (index, field) in event.fields().iter().enumerate() {
        if ["kind", "token", "local", "remote"].contains(&field.name) {
            continue;
        }
        let known = match event.get(index) {
            subflows::table::Value::Bool(true) => field.name.to_owned(),
            subflows::table::Value::UInt(number) if field.name == "error" => {
                let error = i32::try_from(number).map(io::Error::from_raw_os_error);
                error.map_or_else(|_| number.to_string(), |error| format!("error: {error}"))
            }
            subflows::table::Value::UInt(number) => format!("{}={number}", field.name),
            _ => continue,
        };
        let _ = write!(notes, "{}{known}", if notes.is_empty() { "" } else { ", " });
    }
    notes
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};
    use subflows_lab::Namespace;

    use super::*;

    #[test]
    fn columns_are_aligned_and_errors_have_words() {
        let header = line(["TIME", "TOKEN", "EVENT", "LOCAL", "REMOTE"], "");
        let shown =
            line(["2026-01-01T00:00:00.000Z", "1f", "SubflowEstablished", "10.0.0.1:80", "-"], "x");
        assert_eq!(header.find("LOCAL"), shown.find("10.0.0.1"));
        assert_eq!(
            header.find("REMOTE"),
            shown.find('-').and_then(|_| shown.rfind(" -")).map(|at| at + 1)
        );
        assert!(!header.ends_with(' '));
    }

    #[test]
    fn an_event_has_its_time_first() {
        if subflows_lab::is_before(6, 2) {
            return subflows_lab::skip("before Linux 6.2, the kernel reports no listeners");
        }
        let Ok(namespace) = Namespace::new() else { return subflows_lab::skip("needs namespaces") };
        let event = namespace.run(|| {
            let mut events = subflows::Events::of_namespace().unwrap();
            let _listener = subflows::listen("127.0.0.1:0", &Default::default()).unwrap();
            events.next(Duration::from_secs(30)).unwrap().unwrap()
        });
        let mut object = Vec::new();
        timed(&mut Writer::default(), &mut object, "now", &event);
        let object: Map<String, Value> = serde_json::from_slice(&object).unwrap();
        let names: Vec<_> = object.keys().map(String::as_str).collect();
        let fields = event.fields().iter().map(|field| field.name);
        assert_eq!(names, std::iter::once("time").chain(fields).collect::<Vec<_>>());
        assert!(text("now", &event).contains(event.kind.name()));
    }
}
