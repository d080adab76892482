//! The verbs: each operation on every type of socket, with and without its options.

use std::fmt::Write;

use anyhow::Result;
use heck::{ToLowerCamelCase, ToShoutySnakeCase};
use subflows::OPERATIONS;
use subflows::table::Operation;

use super::text::{self, HEAD, comment, sentence};
use crate::signature::{self, Parameter, ParameterType, ResultType, Scalar};
use crate::{waits, words};

const IMPORTS: &str = "\
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.NetworkChannel;
import java.util.List;

/**
 * The verbs for every type of socket, to be called as methods of {@link Subflows}. A socket is
 * borrowed for the call and never closed.
 *
 * <p>Public for languages that call methods by reflection.
 */
public abstract class Verbs {
    Verbs() {}

";

/// The types that are accepted as a socket: type, the object or null, the descriptor or -1.
const SOCKETS: &[(&str, &str, &str)] = &[
    ("Socket", "Given.socket(sock)", "-1"),
    ("ServerSocket", "Given.socket(sock)", "-1"),
    ("NetworkChannel", "Given.socket(sock)", "-1"),
    ("int", "null", "sock"),
];

/// `Verbs.java`.
pub(super) fn verbs() -> Result<String> {
    let mut file = HEAD.to_owned() + IMPORTS;
    for operation in OPERATIONS {
        // Verbs that make a socket are written by hand: Java has two types for each.
        if !matches!(signature::result(operation), ResultType::Socket) {
            methods(&mut file, operation)?;
        }
    }
    file.truncate(file.len() - 1);
    file.push_str("}\n");
    Ok(file)
}

fn methods(file: &mut String, operation: &Operation) -> Result<()> {
    let parameters = signature::parameters(operation);
    let takes_socket = parameters.iter().any(|p| matches!(p.ty, ParameterType::Socket));
    let can_be_left_out = parameters.iter().any(is_left_out);
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

/// Parameters that are keywords in other languages may be left out in Java.
fn is_left_out(parameter: &Parameter) -> bool {
    matches!(parameter.ty, ParameterType::Options(_) | ParameterType::Switch)
}

fn method(
    file: &mut String,
    operation: &Operation,
    (socket, object, fd): (&str, &str, &str),
    is_full: bool,
) -> Result<()> {
    let mut parameters = Vec::new();
    let mut passed = Vec::new();
    for parameter in signature::parameters(operation) {
        let name = parameter.name.to_lower_camel_case();
        let is_left_out = is_left_out(&parameter) && !is_full;
        let (ty, value) = match parameter.ty {
            ParameterType::Socket => {
                passed.push(object.to_owned());
                (socket.to_owned(), fd.to_owned())
            }
            ParameterType::Options(table) => {
                let class = text::options(table.name);
                let value = if is_left_out {
                    format!("{class}.defaults().words()")
                } else {
                    let value = not_null(&name, &format!("{class}.defaults()"));
                    format!("{value}.words()")
                };
                (class, value)
            }
            ParameterType::Switch if is_left_out => (String::new(), "false".to_owned()),
            ParameterType::Switch => ("boolean".to_owned(), name.clone()),
            ParameterType::Value(scalar) => {
                let (ty, value) = argument(scalar, &name);
                (ty.to_owned(), value)
            }
        };
        passed.push(value);
        if !is_left_out {
            parameters.push(format!("{ty} {name}"));
        }
    }
    let name = operation.name;
    let native = format!("{}({})", name.to_lower_camel_case(), passed.join(", "));
    let wait = waits::wait(operation);
    let (result, body) = match (signature::result(operation), wait) {
        (ResultType::Nothing, _) => ("void".to_owned(), format!("Native.{native};")),
        (ResultType::Record(record), Some(wait)) => {
            (record.name.to_owned(), format!("return {}.{native};", wait.class))
        }
        (ResultType::Record(record), None) => {
            (record.name.to_owned(), format!("return {}.only(Native.{native});", record.name))
        }
        (ResultType::List(record), wait) => {
            let list = format!("List<{}>", record.name);
            let body = match wait {
                Some(wait) => format!("return {}.{native};", wait.class),
                None => format!("return {}.all(Native.{native}, 0);", record.name),
            };
            (list, body)
        }
        (ResultType::Handle(handle), _) => {
            (handle.to_owned(), format!("return {handle}.{native};"))
        }
        (ResultType::Value(_), _) => {
            ("OptionValue".to_owned(), format!("return OptionValue.parse(Native.{native});"))
        }
        // Written by hand.
        (ResultType::Socket, _) => return Ok(()),
    };
    let fails = if wait.is_some() { "IOException" } else { "SubflowsException" };
    *file += &comment("    ", &doc(operation));
    let parameters = parameters.join(", ");
    writeln!(
        file,
        "    public static {result} {name}({parameters}) throws {fails} {{\n        {body}\n    }}\n",
        name = name.to_lower_camel_case()
    )?;
    Ok(())
}

/// The type of an argument, and the expression that is passed on.
fn argument(scalar: Scalar, name: &str) -> (&'static str, String) {
    match scalar {
        Scalar::U8 | Scalar::U16 => ("int", name.to_owned()),
        Scalar::U32 | Scalar::U64 => ("long", name.to_owned()),
        Scalar::Bool => ("boolean", name.to_owned()),
        Scalar::Text | Scalar::Name => ("String", not_null(name, "a name")),
        Scalar::Ip => {
            ("InetAddress", format!("PackedAddress.ip({})", not_null(name, "an InetAddress")))
        }
        Scalar::Address => (
            "InetSocketAddress",
            format!("PackedAddress.addresses(Given.resolved({name}, \"{name}\"))"),
        ),
        Scalar::Duration => ("Duration", format!("{name}.toMillis()")),
        Scalar::Enum(enumeration) => {
            let value = not_null(name, &format!("a constant of {enumeration}"));
            (enumeration, format!("{value}.number()"))
        }
        Scalar::OptionValue => {
            let value = not_null(name, "OptionValue.of(...)");
            ("OptionValue", format!("{value}.toString()"))
        }
    }
}

/// An argument that must not be null, and what to pass instead of null.
fn not_null(name: &str, instead: &str) -> String {
    format!("Given.notNull({name}, \"{name}\", \"{instead}\")")
}

/// Its prose, one string per paragraph, its requirements, and the kinds of error.
fn doc(operation: &Operation) -> Vec<String> {
    let paragraphs = words::paragraphs(&words::prose(operation.doc));
    let mut doc: Vec<String> = paragraphs.iter().map(|text| sentence(text)).collect();
    doc.push(sentence(operation.requirements));
    let kinds: Vec<String> =
        operation.errors.iter().map(|kind| kind.name().to_shouty_snake_case()).collect();
    if !kinds.is_empty() {
        doc.push(format!("@throws SubflowsException {}", kinds.join(", ")));
    }
    doc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_by_hand_requires_what_the_table_requires() {
        let path = "../java/src/main/java/org/subflows/Subflows.java";
        let text = std::fs::read_to_string(path).unwrap();
        let by_hand = text.replace(" * ", " ").split_whitespace().collect::<Vec<_>>().join(" ");
        for operation in OPERATIONS {
            if let ResultType::Socket = signature::result(operation) {
                let requirements = sentence(operation.requirements);
                assert!(by_hand.contains(&requirements), "{}: {requirements}", operation.name);
            }
        }
    }
}
