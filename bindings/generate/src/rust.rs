//! Generated Rust: what the extensions of several languages have in common.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use subflows::table::Operation;

use crate::signature::{self, Keyword, ParameterType, Scalar};
use crate::waits;

/// The text as rustfmt formats it, so that the file passes the same check as hand-written ones.
pub(crate) fn formatted(text: &str) -> Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=100,use_small_heuristics=Max"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt is not installed: rustup component add rustfmt")?;
    rustfmt.stdin.take().context("piped")?.write_all(text.as_bytes())?;
    let output = rustfmt.wait_with_output()?;
    anyhow::ensure!(output.status.success(), "rustfmt rejected the generated text");
    Ok(String::from_utf8(output.stdout)?)
}

/// The types of parameters that differ between extensions.
pub(crate) struct Types {
    /// That of a number, by core's type.
    pub(crate) number: fn(&str) -> String,
    /// That of a duration.
    pub(crate) duration: &'static str,
}

/// The type of an extension's parameter.
pub(crate) fn declared(scalar: Scalar, types: &Types) -> String {
    let ty = match scalar {
        Scalar::U8 => return (types.number)("u8"),
        Scalar::U16 => return (types.number)("u16"),
        Scalar::U32 => return (types.number)("u32"),
        Scalar::U64 => return (types.number)("u64"),
        Scalar::Bool => "bool",
        Scalar::Text | Scalar::Name => "Name",
        Scalar::Ip => "Ip",
        Scalar::Address => "Address",
        Scalar::Duration => types.duration,
        Scalar::Enum(_) => "Chosen",
        Scalar::OptionValue => "GivenValue",
    };
    ty.to_owned()
}

/// The declaration of a parameter that is given by name.
pub(crate) fn keyword(keyword: &Keyword, types: &Types) -> String {
    let ty = declared(keyword.scalar, types);
    if keyword.is_optional {
        format!("{}: Option<{ty}>", keyword.name)
    } else {
        format!("{}: {ty}", keyword.name)
    }
}

/// Statements that make core's options of the keywords, each by that expression.
pub(crate) fn options(operation: &Operation, value: impl Fn(&Keyword) -> String) -> String {
    let mut text = String::new();
    for parameter in signature::parameters(operation) {
        if let ParameterType::Options(table) = parameter.ty {
            text += &format!("let mut options = ::subflows::{}::new();\n", table.name);
            for option in signature::options(table) {
                text += &format!("options.{} = {};\n", option.name, value(&option));
            }
        }
    }
    text
}

/// The parameter that chooses between two functions of core.
pub(crate) fn switch(operation: &Operation) -> Option<&'static str> {
    let mut parameters = signature::parameters(operation).into_iter();
    parameters.find(|it| matches!(it.ty, ParameterType::Switch)).map(|it| it.name)
}

/// The call of core's function.
pub(crate) fn call(operation: &Operation, arguments: &str) -> String {
    let call = format!("{}({arguments})", operation.name);
    match switch(operation) {
        Some(switch) => {
            format!("if {switch} {{ ::subflows::{switch}_{call} }} else {{ ::subflows::{call} }}")
        }
        None => format!("::subflows::{call}"),
    }
}

/// The call of core's function, inside what releases the interpreter's lock if it may block.
pub(crate) fn unlocked(operation: &Operation, arguments: &str, release: (&str, &str)) -> String {
    let (before, after) = release;
    match call(operation, arguments) {
        call if waits::keeps_lock(operation) && switch(operation).is_some() => format!("({call})"),
        call if waits::keeps_lock(operation) => call,
        call if arguments.is_empty() => format!("{before}{}{after}", call.trim_end_matches("()")),
        call => format!("{before}|| {call}{after}"),
    }
}
