//! The driver of the command: see tests/conform/PROTOCOL.md.
//!
//! The command acts on connections that other processes hold. So this process makes and holds the
//! sockets by core, and runs the command with the token of a connection: the command borrows the
//! socket from this process.

mod running;

use std::collections::HashMap;
use std::process::Command;

use running::Running;
use serde_json::Value;
use subflows::OPERATIONS;
use subflows::table::Type;
use subflows_driver::{Answer, Fault, Fields, Library, PlainSockets, Request, Verbs};

fn main() {
    subflows_driver::serve("command", &mut Shell::default());
}

/// The command, and core for the operations that the command does not have.
#[derive(Default)]
struct Shell {
    library: Library,
    /// The commands that run until they are asked to end, by the names of their handles.
    running: HashMap<String, Running>,
}

impl Verbs for Shell {
    fn names(&self) -> Vec<&'static str> {
        self.library.names()
    }

    fn perform(&mut self, sockets: &mut PlainSockets, request: &Request) -> Answer {
        let handle = request.maybe_text("handle");
        if let Some(running) = handle.and_then(|handle| self.running.get_mut(handle)) {
            return match request.verb() {
                "events.next" => running.next(request.value("timeout_ms")?),
                "announced.turn_away" => running.turned_away(),
                _ => self.end(request),
            };
        }
        let Some(arguments) = arguments(sockets, request)? else {
            return self.library.perform(sockets, request);
        };
        match request.verb() {
            "announce" => {
                let (running, announced) = Running::announce(&mut program(&arguments))?;
                self.running.insert(request.text("name")?.to_owned(), running);
                Ok(fields("", &announced))
            }
            "events" => {
                let mut command = program(&arguments);
                // As much as the library's, as the kernel doubles it, so that a scenario can make events be lost.
                let running = Running::events(command.args(["--buffer", "104KiB"]))?;
                self.running.insert(request.text("name")?.to_owned(), running);
                Ok(Fields::new())
            }
            verb => match run(verb, &arguments) {
                // The connection ended before the command looked for it.
                Err(_)
                    if token_of(sockets, request)?.is_none()
                        && request.maybe_text("sock").is_some() =>
                {
                    self.library.perform(sockets, request)
                }
                answer => answer,
            },
        }
    }
}

impl Shell {
    /// Withdraws an address, or stops following events.
    fn end(&mut self, request: &Request) -> Answer {
        self.running.remove(request.text("handle")?).map_or(Ok(()), Running::end)?;
        Ok(Fields::new())
    }
}

/// The operations that the command has, each with its name there.
const COMMANDS: &[(&str, &str)] = &[
    ("status", "status"),
    ("info", "info"),
    ("list", "list"),
    ("details", "details"),
    ("open", "open"),
    ("close", "close"),
    ("set_backup", "set-backup"),
    ("set_option", "option"),
    ("get_option", "option"),
    ("options", "option"),
    ("set_raw_option", "raw-option"),
    ("get_raw_option", "raw-option"),
    ("announce", "announce"),
    ("addresses", "addresses"),
    ("events", "events"),
    ("connections", "connections"),
    ("connection", "connection"),
    ("endpoints", "endpoints"),
    ("add_endpoint", "endpoints add"),
    ("set_endpoint_backup", "endpoints change"),
    ("set_endpoint_fullmesh", "endpoints change"),
    ("remove_endpoint", "endpoints remove"),
    ("flush_endpoints", "endpoints flush"),
    ("limits", "limits"),
    ("set_limits", "limits set"),
    ("settings", "settings"),
    ("set_setting", "settings"),
    ("counters", "counters"),
    ("capabilities", "capabilities"),
    ("doctor", "doctor"),
    ("diagnose", "doctor"),
    ("probe", "probe"),
];

/// The arguments that are not options of the command: they follow its name in this order.
const POSITIONAL: [&str; 8] =
    ["id", "endpoint_id", "address", "option", "level", "number", "setting", "value"];

/// The token by which the command finds the socket's connection. It finds none of another network namespace.
fn token_of(sockets: &PlainSockets, request: &Request) -> Result<Option<u32>, Fault> {
    if request.maybe_text("sock").is_none() {
        return Ok(None);
    }
    let token = subflows::status(sockets.of(request)?)?.token;
    Ok(token.filter(|token| subflows::connection(*token).is_ok()))
}

/// The arguments of the command. None if it does not have the operation, or if the socket has no
/// token by which the command could find it.
fn arguments(sockets: &PlainSockets, request: &Request) -> Result<Option<Vec<String>>, Fault> {
    let known = COMMANDS.iter().find(|(operation, _)| *operation == request.verb());
    let Some((_, verb)) = known else { return Ok(None) };
    let token = request.maybe::<u32>("token")?;
    if token == Some(0) {
        // The command rejects it as a usage error.
        return Ok(None);
    }
    let mut arguments: Vec<_> = verb.split(' ').map(str::to_owned).collect();
    arguments.extend(token.map(|token| format!("{token:#x}")));
    let is_added = request.verb() == "add_endpoint";
    if request.maybe_text("sock").is_some() {
        let Some(token) = token_of(sockets, request)? else { return Ok(None) };
        arguments.push(format!("{token:08x}"));
    }
    if request.verb() == "doctor" {
        arguments.extend(request.maybe_text("remote").map(str::to_owned));
    }
    let positional = POSITIONAL.iter().filter(|word| !(is_added && **word == "id"));
    arguments.extend(positional.filter_map(|word| request.maybe_text(word).map(str::to_owned)));
    let mut options =
        vec!["local", "interface", "remote", "local_port", "port", "add_addr_accepted", "length"];
    options.extend(is_added.then_some("id"));
    options.extend((request.verb() == "set_limits").then_some("subflows"));
    for option in options {
        let value = request.maybe_text(option).filter(|_| request.verb() != "doctor");
        if let Some(value) = value {
            arguments.extend([format!("--{}", option.replace('_', "-")), value.to_owned()]);
        }
    }
    if let Some(data) = request.maybe_text("data") {
        arguments.extend(["--data".to_owned(), data.to_owned()]);
    }
    if let Some(milliseconds) = request.maybe_text("timeout_ms") {
        arguments.extend(["--timeout".to_owned(), format!("{milliseconds}ms")]);
    }
    let word = |flag: &str| Ok::<_, Fault>(if request.is(flag)? { "yes" } else { "no" }.to_owned());
    match request.verb() {
        "set_backup" => arguments.push(word("backup")?),
        "set_endpoint_backup" => arguments.extend(["--backup".to_owned(), word("backup")?]),
        "set_endpoint_fullmesh" => arguments.extend(["--fullmesh".to_owned(), word("fullmesh")?]),
        _ => {
            let flags = ["backup", "unbound", "force", "processes"];
            for flag in flags.into_iter().chain(["signal", "subflow", "fullmesh", "laminar"]) {
                if request.is(flag)? {
                    arguments.push(format!("--{flag}"));
                }
            }
        }
    }
    Ok(Some(arguments))
}

fn program(arguments: &[String]) -> Command {
    let program = std::env::var_os("SUBFLOWS").unwrap_or_else(|| "subflows".into());
    let mut command = Command::new(program);
    command.arg("--json").args(arguments);
    command
}

/// Runs the command for an operation, and reads the objects that it prints.
fn run(operation: &str, arguments: &[String]) -> Answer {
    let output = program(arguments).output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    // The doctor and a probe fail if they find something, which they print.
    let has_found =
        ["doctor", "diagnose", "probe"].contains(&operation) && !output.stdout.is_empty();
    if !output.status.success() && !has_found {
        return Err(fault(&text(output.stderr)));
    }
    let lines = text(output.stdout);
    let objects = lines.lines().map(parse).collect::<Result<Vec<_>, Fault>>()?;
    if let Some(failed) = objects.iter().find(|object| object["error"].is_object()) {
        return Err(fault(&failed.to_string()));
    }
    let known = OPERATIONS.iter().find(|known| known.name == operation);
    match known.map(|known| known.result) {
        Some(Type::List(_)) => Ok(fields("", &Value::Array(objects))),
        // The only member is called as the option.
        Some(Type::OptionValue) => {
            let value = objects.first().and_then(|object| object.as_object()?.values().next());
            Ok(fields("value", value.unwrap_or(&Value::Null)))
        }
        _ => Ok(fields("", objects.first().unwrap_or(&Value::Null))),
    }
}

fn parse(line: &str) -> Result<Value, Fault> {
    let wrong = |error| Fault::protocol(format!("the command printed no JSON: {error}"));
    serde_json::from_str(line).map_err(wrong)
}

fn fields(name: &str, value: &Value) -> Fields {
    let mut fields = Fields::new();
    add(&mut fields, name, value);
    fields
}

fn fault(text: &str) -> Fault {
    eprint!("{text}");
    let Some(error) = text.lines().find_map(|line| serde_json::from_str::<Value>(line).ok()) else {
        return Fault::protocol("the command failed without an error in JSON");
    };
    let error = &error["error"];
    let word = |name: &str| error[name].as_str().unwrap_or_default();
    let errno = error["errno"].as_i64().and_then(|errno| i32::try_from(errno).ok());
    Fault::new(word("kind"), errno.unwrap_or(0), word("remedy"))
}

/// Adds a value, and those inside it, under their path. Absent values are left out.
fn add(fields: &mut Fields, name: &str, value: &Value) {
    let inner = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Null => {}
        // The command prints tokens in hexadecimal digits.
        Value::String(text) if name.rsplit('.').next() == Some("token") => {
            fields.add(name, u32::from_str_radix(text, 16).unwrap_or(0));
        }
        Value::String(text) => match text.strip_prefix('[').and_then(|text| text.split_once('%')) {
            // Drivers write addresses without an interface.
            Some((ip, rest)) => {
                let port = rest.split_once(']').map_or(rest, |(_, port)| port);
                fields.add(name, format!("[{ip}]{port}"));
            }
            None => fields.add(name, text),
        },
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
