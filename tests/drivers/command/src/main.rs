//! The driver of the command: see tests/conform/PROTOCOL.md.
//!
//! The command acts on connections that other processes hold. So this process makes and holds the
//! sockets by core, and runs the command with the token of a connection: the command borrows the
//! socket from this process.

use std::process::Command;

use serde_json::Value;
use subflows_driver::{Answer, Fault, Fields, Library, PlainSockets, Request, Verbs};

fn main() {
    subflows_driver::serve("command", &mut Shell::default());
}

/// The command, and core for the operations that the command does not have.
#[derive(Default)]
struct Shell {
    library: Library,
}

impl Verbs for Shell {
    fn names(&self) -> Vec<&'static str> {
        self.library.names()
    }

    fn perform(&mut self, sockets: &mut PlainSockets, request: &Request) -> Answer {
        match arguments(sockets, request)? {
            Some(arguments) => {
                // The command prints a single value without a name.
                run(&arguments, if request.verb() == "get_option" { "value" } else { "" })
            }
            None => self.library.perform(sockets, request),
        }
    }
}

/// The operations that the command has, each with its name there.
const COMMANDS: &[(&str, &str)] = &[
    ("list", "list"),
    ("open", "open"),
    ("close", "close"),
    ("set_backup", "set-backup"),
    ("set_option", "option"),
    ("get_option", "option"),
    ("options", "option"),
    ("connections", "connections"),
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
];

/// Those that are no options of the command: they follow its name in this order.
const POSITIONAL: [&str; 6] = ["id", "endpoint_id", "address", "option", "setting", "value"];

/// The arguments of the command. None if it does not have the operation, or if the socket has no
/// token by which the command could find it.
fn arguments(sockets: &PlainSockets, request: &Request) -> Result<Option<Vec<String>>, Fault> {
    let known = COMMANDS.iter().find(|(operation, _)| *operation == request.verb());
    let Some((_, verb)) = known else { return Ok(None) };
    let mut arguments: Vec<_> = verb.split(' ').map(str::to_owned).collect();
    let is_added = request.verb() == "add_endpoint";
    if request.maybe_text("sock").is_some() {
        let token = subflows::status(sockets.of(request)?)?.token;
        // The command cannot find a connection of another network namespace.
        let Some(token) = token.filter(|token| subflows::connection(*token).is_ok()) else {
            return Ok(None);
        };
        arguments.push(format!("{token:08x}"));
    }
    let positional = POSITIONAL.iter().filter(|word| !(is_added && **word == "id"));
    arguments.extend(positional.filter_map(|word| request.maybe_text(word).map(str::to_owned)));
    let mut options =
        vec!["local", "interface", "remote", "local_port", "port", "add_addr_accepted"];
    options.extend(is_added.then_some("id"));
    options.extend((request.verb() == "set_limits").then_some("subflows"));
    for option in options {
        if let Some(value) = request.maybe_text(option) {
            arguments.extend([format!("--{}", option.replace('_', "-")), value.to_owned()]);
        }
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

/// Runs the command, and reads its JSON.
fn run(arguments: &[String], name: &str) -> Answer {
    let program = std::env::var_os("SUBFLOWS").unwrap_or_else(|| "subflows".into());
    let output = Command::new(program).arg("--json").args(arguments).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Err(fault(&text(&output.stderr)));
    }
    let wrong = |error| Fault::protocol(format!("the command printed no JSON: {error}"));
    let printed: Value = serde_json::from_slice(&output.stdout).map_err(wrong)?;
    let mut fields = Fields::new();
    add(&mut fields, name, &printed);
    Ok(fields)
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
