//! The driver of the command: see tests/conform/PROTOCOL.md.
//!
//! A command acts from outside, on connections that others hold. So the sockets are core's, made in
//! this process, and what the command has a verb for is asked of the command, by the connection's
//! token: it borrows the socket from this process as from any other.

use std::process::Command;

use serde_json::Value;
use subflows_driver::{Answer, Fault, Fields, Library, Request, Sockets, Verbs};

fn main() {
    subflows_driver::serve("command", &mut Shell::default());
}

/// The command, and core for what the command has no verb for.
#[derive(Default)]
struct Shell {
    library: Library,
}

impl Verbs for Shell {
    fn names(&self) -> &'static [&'static str] {
        self.library.names()
    }

    fn perform(&mut self, sockets: &mut Sockets, request: &Request) -> Answer {
        match words(sockets, request)? {
            Some(words) => answer(&words),
            None => self.library.perform(sockets, request),
        }
    }
}

/// The words of the command line; none where the command has no verb for it, or no name for the
/// connection.
fn words(sockets: &Sockets, request: &Request) -> Result<Option<Vec<String>>, Fault> {
    let verb = match request.verb() {
        verb @ ("connections" | "capabilities") => return Ok(Some(vec![verb.to_owned()])),
        verb @ ("list" | "open" | "close") => verb,
        "force_close" => "close",
        "set_backup" => "set-backup",
        _ => return Ok(None),
    };
    let Some(token) = subflows::status(sockets.of(request)?)?.token else { return Ok(None) };
    // Of a connection in another network namespace nobody can say where it is.
    if subflows::connection(token).is_err() {
        return Ok(None);
    }
    let mut words = vec![verb.to_owned(), format!("{token:08x}")];
    words.extend(request.maybe_text("id").map(str::to_owned));
    for option in ["local", "interface", "remote", "local_port"] {
        if let Some(value) = request.maybe_text(option) {
            words.extend([format!("--{}", option.replace('_', "-")), value.to_owned()]);
        }
    }
    if let Some(milliseconds) = request.maybe_text("timeout_ms") {
        words.extend(["--timeout".to_owned(), format!("{milliseconds}ms")]);
    }
    for switch in ["backup", "unbound"] {
        if request.is(switch)? {
            words.push(format!("--{switch}"));
        }
    }
    if request.verb() == "force_close" {
        words.push("--force".to_owned());
    }
    words.extend(request.maybe("yes")?.map(|yes: bool| if yes { "yes" } else { "no" }.to_owned()));
    Ok(Some(words))
}

/// What the command says, in its words for programs.
fn answer(words: &[String]) -> Answer {
    let program = std::env::var_os("SUBFLOWS").unwrap_or_else(|| "subflows".into());
    let output = Command::new(program).arg("--json").args(words).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Err(fault(&text(&output.stderr)));
    }
    let wrong = |error| Fault::protocol(format!("the command prints no JSON: {error}"));
    let told: Value = serde_json::from_slice(&output.stdout).map_err(wrong)?;
    let mut fields = Fields::new();
    add(&mut fields, "", &told);
    Ok(fields)
}

fn fault(text: &str) -> Fault {
    eprint!("{text}");
    let Some(error) = text.lines().find_map(|line| serde_json::from_str::<Value>(line).ok()) else {
        return Fault::protocol("the command has failed without a word for programs");
    };
    let error = &error["error"];
    let word = |name: &str| error[name].as_str().unwrap_or_default();
    let errno = error["errno"].as_i64().and_then(|errno| i32::try_from(errno).ok());
    Fault::new(word("kind"), errno.unwrap_or(0), word("remedy"))
}

/// Values in values by their path; what is absent is not said.
fn add(fields: &mut Fields, name: &str, value: &Value) {
    let inner = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        // As everybody but a driver spells it.
        Value::String(text) if name.rsplit('.').next() == Some("token") => {
            fields.add(name, u32::from_str_radix(text, 16).unwrap_or(0));
        }
        Value::String(text) => fields.add(name, text),
        Value::Array(items) => {
            fields.add(&inner("count"), items.len());
            for (index, item) in items.iter().enumerate() {
                add(fields, &inner(&index.to_string()), item);
            }
        }
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| add(fields, &inner(key), value));
        }
        other => fields.add(name, other),
    }
}
