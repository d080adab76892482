//! The tables of the documentation: operations, records, options, enumerations, errors.

use std::fmt::Write;

use subflows::table::{Field, Type};
use subflows::{ENUMERATIONS, ErrorKind, FindingKind, OPERATIONS, OPTIONS, RECORDS};

use crate::output::Output;
use crate::signature::{self, Default};
use crate::words;

const PATH: &str = "REFERENCE.md";
const HEAD: &str = "\
# Reference

Written by `cargo regen` from the tables in which core describes itself; do not edit. Names are
those of Rust, C, Python, Ruby and JSON; Java writes them in camel case.
";

/// `REFERENCE.md`.
pub fn reference() -> Output {
    let mut text = HEAD.to_owned();
    // Writing to a string does not fail.
    let _ = write(&mut text);
    Output::new(PATH, text)
}

fn write(text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "\n## Operations\n\n| operation | returns | requires | Linux | errors | what |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|")?;
    for operation in OPERATIONS {
        let arguments: Vec<_> =
            operation.arguments.iter().map(|(name, ty)| format!("{name}: {}", kind(ty))).collect();
        let errors: Vec<_> = operation.errors.iter().map(|kind| kind.name()).collect();
        let name = format!("`{}({})`", operation.name, arguments.join(", "));
        let result = kind(&operation.result);
        let (right, since) = words::requirements(operation);
        let what = words::first_sentence(operation.doc);
        let errors = errors.join(", ");
        writeln!(text, "| {name} | {result} | {right} | {since} | {errors} | {what} |")?;
    }
    writeln!(text, "\nEvery operation can also fail with InvalidArgument and Os.")?;
    writeln!(
        text,
        "\n## Errors\n\n| number | kind | what happened | what to do |\n|---|---|---|---|"
    )?;
    for kind in ErrorKind::ALL {
        let (number, name) = (kind.code(), kind.name());
        writeln!(text, "| {number} | {name} | {} | {} |", kind.what(), kind.remedy())?;
    }
    write_findings(text)?;
    writeln!(text, "\n## Records")?;
    for record in RECORDS {
        writeln!(text, "\n### {}\n\n{}\n", record.name, words::paragraph(record.doc))?;
        writeln!(text, "| field | type | unit | since | what |\n|---|---|---|---|---|")?;
        for field in record.fields {
            let (unit, since) = (words::unit(field.unit).unwrap_or(""), since(field));
            let what = words::paragraph(field.doc);
            let ty = kind(&field.ty);
            writeln!(text, "| `{}` | {ty} | {unit} | {since} | {what} |", field.name)?;
        }
    }
    writeln!(text, "\n## Options")?;
    for options in OPTIONS {
        writeln!(text, "\n### {}\n\n{}\n", options.name, words::paragraph(options.doc))?;
        writeln!(text, "| option | type | default | what |\n|---|---|---|---|")?;
        for (field, keyword) in options.fields.iter().zip(signature::options(options)) {
            let (ty, default) = (kind(&field.ty), default(keyword.default));
            let what = words::paragraph(field.doc);
            writeln!(text, "| `{}` | {ty} | {default} | {what} |", field.name)?;
        }
    }
    writeln!(text, "\n## Enumerations")?;
    for enumeration in ENUMERATIONS {
        let about = words::paragraph(enumeration.doc);
        writeln!(text, "\n### {}\n\n{about}\n", enumeration.name)?;
        writeln!(text, "| number | name | what |\n|---|---|---|")?;
        for variant in enumeration.variants {
            let what = words::paragraph(variant.doc);
            writeln!(text, "| {} | {} | {what} |", variant.number, variant.name)?;
        }
    }
    Ok(())
}

/// What `doctor` and `diagnose` can find, the gravest first.
fn write_findings(text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "\n## Findings\n\nWhat `doctor` and `diagnose` can find. The names and numbers of the host replace the \
         words in braces.\n\n| finding | severity | what it is | what to do |\n|---|---|---|---|"
    )?;
    let mut kinds = FindingKind::ALL.to_vec();
    kinds.sort_by_key(|kind| kind.severity() as i32);
    for kind in kinds {
        let (severity, what, remedy) = (kind.severity(), kind.explanation(), kind.remedy());
        writeln!(text, "| {kind} | {severity} | {what} | {remedy} |")?;
    }
    Ok(())
}

fn since(field: &Field) -> String {
    if field.since.is_empty() { String::new() } else { format!("Linux {}", field.since) }
}

fn kind(ty: &Type) -> String {
    match ty {
        Type::Nothing => "nothing".to_owned(),
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => format!("{ty:?}").to_lowercase(),
        Type::Bool => "yes or no".to_owned(),
        Type::Text | Type::Name => "text".to_owned(),
        Type::Ip => "IP address".to_owned(),
        Type::Address => "IP address and port".to_owned(),
        Type::Duration => "time".to_owned(),
        Type::OptionValue => "number, yes or no, text, or bytes".to_owned(),
        Type::Socket => "socket".to_owned(),
        Type::NewSocket => "a new socket".to_owned(),
        Type::Handle(name) => format!("a handle: {name}"),
        Type::Enum(name) | Type::Record(name) | Type::Options(name) => (*name).to_owned(),
        Type::Optional(inner) => format!("{}, or absent", kind(inner)),
        Type::List(inner) => format!("list of {}", kind(inner)),
    }
}

fn default(default: Default) -> String {
    match default {
        Default::Absent => "absent".to_owned(),
        Default::Number(number) => number.to_string(),
        Default::Bool(on) => if on { "yes" } else { "no" }.to_owned(),
        Default::Duration(span) => format!("{} s", span.as_secs_f64()),
    }
}
