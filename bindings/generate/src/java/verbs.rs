//! The verbs: each operation on every type of socket, with and without its options.

use std::fmt::Write;

use anyhow::{Result, bail};
use heck::{ToLowerCamelCase, ToShoutySnakeCase};
use subflows::OPERATIONS;
use subflows::table::{Operation, Ty};

use super::text::{self, HEAD, comment, sentence};
use crate::words;

const IMPORTS: &str = "\
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.NetworkChannel;
import java.util.List;
import java.util.Objects;

/**
 * The verbs of {@link Subflows} on every type of socket, to be called by that name. A socket is
 * borrowed for the call and never closed.
 *
 * <p>Public, because languages that call by reflection could not call them otherwise.
 */
public abstract class Verbs {
    Verbs() {}

";

/// What is accepted as a socket: type, the object that is kept from being closed, its descriptor.
const SOCKETS: &[(&str, &str, &str)] = &[
    ("Socket", "Objects.requireNonNull(sock, \"sock\")", "-1"),
    ("ServerSocket", "Objects.requireNonNull(sock, \"sock\")", "-1"),
    ("NetworkChannel", "Objects.requireNonNull(sock, \"sock\")", "-1"),
    ("int", "null", "sock"),
];

/// `Verbs.java`.
pub(super) fn verbs() -> Result<String> {
    let mut file = HEAD.to_owned() + IMPORTS;
    for operation in OPERATIONS {
        // What makes a socket is written by hand: Java has two types for each.
        if operation.result != Ty::NewSocket {
            methods(&mut file, operation)?;
        }
    }
    file.truncate(file.len() - 1);
    file.push_str("}\n");
    Ok(file)
}

fn methods(file: &mut String, operation: &Operation) -> Result<()> {
    let takes_socket = operation.arguments.iter().any(|(_, ty)| *ty == Ty::Socket);
    let can_be_left_out = operation.arguments.iter().any(|(name, ty)| is_option(name, ty));
    let sockets = if takes_socket { SOCKETS } else { &SOCKETS[..1] };
    for (socket, object, fd) in sockets {
        for is_full in [false, true] {
            if is_full || can_be_left_out {
                method(file, operation, (socket, object, fd), is_full)?;
            }
        }
    }
    Ok(())
}

/// What may be left out: options, and what has to be asked for by name in other languages.
fn is_option(name: &str, ty: &Ty) -> bool {
    matches!(ty, Ty::Options(_)) || name == "force"
}

fn method(
    file: &mut String,
    operation: &Operation,
    (socket, object, fd): (&str, &str, &str),
    is_full: bool,
) -> Result<()> {
    let mut parameters = Vec::new();
    let mut passed = Vec::new();
    for (name, ty) in operation.arguments {
        let name = name.to_lower_camel_case();
        let is_left_out = is_option(&name, ty) && !is_full;
        let (ty, value) = match ty {
            Ty::Socket => {
                passed.push(object.to_owned());
                (socket.to_owned(), fd.to_owned())
            }
            Ty::Options(options) => {
                let class = text::options(options);
                let value = match is_left_out {
                    true => format!("{class}.defaults().words()"),
                    false => format!("{name}.words()"),
                };
                (class, value)
            }
            Ty::Bool if is_left_out => (String::new(), "false".to_owned()),
            Ty::Bool => ("boolean".to_owned(), name.clone()),
            Ty::U32 => ("long".to_owned(), name.clone()),
            Ty::Ip => ("InetAddress".to_owned(), format!("Words.ip({name})")),
            other => bail!("{other:?} is no type of an argument in Java yet"),
        };
        passed.push(value);
        if !is_left_out {
            parameters.push(format!("{ty} {name}"));
        }
    }
    let name = operation.name;
    let native = format!("{}({})", name.to_lower_camel_case(), passed.join(", "));
    let (result, body, fails) = match operation.result {
        Ty::Unit => ("void".to_owned(), format!("Native.{native};"), "SubflowsException"),
        Ty::Record(record) if name == "open" => {
            (record.to_owned(), format!("return Opening.{native};"), "IOException")
        }
        Ty::Record(record) => (
            record.to_owned(),
            format!("return {record}.only(Native.{native});"),
            "SubflowsException",
        ),
        Ty::List(Ty::Record(record)) => (
            format!("List<{record}>"),
            format!("return {record}.all(Native.{native}, 0);"),
            "SubflowsException",
        ),
        Ty::Handle(handle) => {
            (handle.to_owned(), format!("return {handle}.{native};"), "SubflowsException")
        }
        other => bail!("{other:?} is no result in Java yet"),
    };
    *file += &comment("    ", &doc(operation));
    let parameters = parameters.join(", ");
    writeln!(
        file,
        "    public static {result} {name}({parameters}) throws {fails} {{\n        {body}\n    }}\n",
        name = name.to_lower_camel_case()
    )?;
    Ok(())
}

/// Its prose, a paragraph each, what it requires, and the kinds of error.
fn doc(operation: &Operation) -> Vec<String> {
    let prose = words::prose(operation.doc);
    let paragraphs = prose.split(String::is_empty).filter(|lines| !lines.is_empty());
    let mut doc: Vec<String> = paragraphs.map(|lines| sentence(&lines.join(" "))).collect();
    doc.push(sentence(operation.requirements));
    let kinds: Vec<String> =
        operation.errors.iter().map(|kind| kind.name().to_shouty_snake_case()).collect();
    if !kinds.is_empty() {
        doc.push(format!("@throws SubflowsException {}", kinds.join(", ")));
    }
    doc
}
