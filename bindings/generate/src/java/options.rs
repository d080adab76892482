//! A final class per options struct: each method gives a new one with that option set.

use std::fmt::Write;

use anyhow::{Result, bail};
use subflows::table::{Field, OptionsTable, Ty, Value};

use super::text::{self, HEAD, comment, field, method, sentence};
use crate::words;

/// Options that are asked for so often that a class begins with them: options, option, name.
const BEGINNINGS: &[(&str, &str, &str)] = &[
    ("Connect", "control", "controlled"),
    ("Open", "interface", "via"),
    ("Open", "local", "from"),
    ("Announce", "port", "atPort"),
    ("Connections", "subflows", "withSubflows"),
];

/// The class of one options struct.
pub(super) fn options(table: &OptionsTable) -> Result<String> {
    let class = text::options(table.name);
    let defaults = (table.defaults)();
    let values: Vec<String> = (0..table.fields.len())
        .map(|index| default(&defaults.get(index)))
        .collect::<Result<_>>()?;
    let mut body = comment("    ", &["The defaults.".to_owned()]);
    write!(body, "    public static {class} defaults() {{\n        return DEFAULTS;\n    }}\n\n")?;
    for (_, option, name) in BEGINNINGS.iter().filter(|(owner, ..)| *owner == table.name) {
        let field = table.fields.iter().find(|field| field.name == *option);
        let Some(field) = field else { bail!("{} has no option {option}", table.name) };
        body += &comment("    ", &[text::field(field)]);
        let (ty, set) = (argument(field)?, method(field));
        let (parameter, argument) = match ty {
            "boolean" => (String::new(), ""),
            ty => (format!("{ty} {set}"), set.as_str()),
        };
        write!(
            body,
            "    public static {class} {name}({parameter}) {{\n        \
             return DEFAULTS.{set}({argument});\n    }}\n\n"
        )?;
    }
    for (index, field) in table.fields.iter().enumerate() {
        setter(&mut body, &class, index, field)?;
    }
    let mut file = HEAD.to_owned();
    for import in ["java.net.InetAddress", "java.net.InetSocketAddress", "java.time.Duration"] {
        let name = import.rsplit('.').next().unwrap_or(import);
        if body.contains(&format!("({name} ")) || values.iter().any(|value| value.contains(name)) {
            writeln!(file, "import {import};")?;
        }
    }
    file.push('\n');
    file += &comment(
        "",
        &[sentence(&words::paragraph(table.doc)), "Immutable: each method gives a new one.".into()],
    );
    let names: Vec<String> =
        table.fields.iter().map(|field| format!("\"{}\"", method(field))).collect();
    write!(
        file,
        "public final class {class} extends Options {{
    private static final String[] NAMES = {{{}}};
    private static final {class} DEFAULTS = new {class}(new Object[] {{{}}});

    private {class}(Object[] values) {{
        super(NAMES, values);
    }}

{body}",
        names.join(", "),
        values.join(", ")
    )?;
    file.truncate(file.len() - 1);
    file.push_str("}\n");
    Ok(file)
}

fn setter(body: &mut String, class: &str, index: usize, option: &Field) -> Result<()> {
    let (ty, name) = (argument(option)?, method(option));
    let doc = comment("    ", &[field(option)]);
    let value = match ty {
        "int" => format!("inRange({name}, {}, \"{name}\")", greatest(option)?),
        _ => name.clone(),
    };
    if ty == "boolean" {
        write!(
            body,
            "{doc}    public {class} {name}() {{\n        return {name}(true);\n    }}\n\n"
        )?;
    }
    write!(
        body,
        "{doc}    public {class} {name}({ty} {name}) {{\n        \
         return new {class}(with({index}, {value}));\n    }}\n\n"
    )?;
    Ok(())
}

fn inner(field: &Field) -> Ty {
    match field.ty {
        Ty::Optional(inner) => *inner,
        ty => ty,
    }
}

fn argument(field: &Field) -> Result<&'static str> {
    Ok(match inner(field) {
        Ty::U16 | Ty::U32 => "int",
        Ty::Bool => "boolean",
        Ty::Text => "String",
        Ty::Ip => "InetAddress",
        Ty::Address => "InetSocketAddress",
        Ty::Duration => "Duration",
        other => bail!("{other:?} is no type of an option in Java yet"),
    })
}

fn greatest(field: &Field) -> Result<&'static str> {
    Ok(match inner(field) {
        Ty::U16 => "0xffff",
        Ty::U32 => "Integer.MAX_VALUE",
        other => bail!("{other:?} is no number"),
    })
}

fn default(value: &Value<'_>) -> Result<String> {
    Ok(match value {
        Value::UInt(number) => number.to_string(),
        Value::Bool(on) => on.to_string(),
        Value::Duration(span) => format!("Duration.ofMillis({})", span.as_millis()),
        Value::Absent => "null".to_owned(),
        _ => bail!("a default of another type"),
    })
}
