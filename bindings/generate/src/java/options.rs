//! A final class per options struct: each method returns a new object with that option set.

use std::fmt::Write;

use anyhow::{Result, bail};
use subflows::table::{Field, OptionsTable};

use super::text::{self, HEAD, comment, field, method, sentence};
use crate::signature::{self, Default, Keyword, Scalar};
use crate::words;

/// Frequent options, for which the class has a static method: options, option, name of the method.
const BEGINNINGS: &[(&str, &str, &str)] = &[
    ("Connect", "control", "controlled"),
    ("Open", "interface", "via"),
    ("Open", "local", "from"),
    ("Announce", "port", "atPort"),
    ("ConnectionsOptions", "subflows", "withSubflows"),
];

/// The class of one options struct.
pub(super) fn options(table: &OptionsTable) -> Result<String> {
    let class = text::options(table.name);
    let keywords = signature::options(table);
    let values: Vec<String> = keywords.iter().map(|keyword| default(keyword.default)).collect();
    let mut body = comment("    ", &["Returns the defaults.".to_owned()]);
    write!(body, "    public static {class} defaults() {{\n        return DEFAULTS;\n    }}\n\n")?;
    for (_, option, name) in BEGINNINGS.iter().filter(|(owner, ..)| *owner == table.name) {
        let mut options = table.fields.iter().zip(&keywords);
        let Some((field, keyword)) = options.find(|(field, _)| field.name == *option) else {
            bail!("{} has no option {option}", table.name)
        };
        body += &comment("    ", &[text::field(field)]);
        let ((ty, _), set) = (argument(keyword.scalar), method(field));
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
    for (index, (field, keyword)) in table.fields.iter().zip(&keywords).enumerate() {
        setter(&mut body, &class, index, (field, keyword))?;
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
        &[
            sentence(&words::paragraph(table.doc)),
            "Immutable: each method returns a new object.".into(),
        ],
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

fn setter(
    body: &mut String,
    class: &str,
    index: usize,
    (option, keyword): (&Field, &Keyword),
) -> Result<()> {
    let ((ty, greatest), name) = (argument(keyword.scalar), method(option));
    let doc = comment("    ", &[field(option)]);
    let value = match greatest {
        Some(greatest) => format!("inRange({name}, {greatest}, \"{name}\")"),
        None => name.clone(),
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

/// The type, and the greatest number in range if Java's type can hold greater ones.
fn argument(scalar: Scalar) -> (&'static str, Option<&'static str>) {
    match scalar {
        Scalar::U8 => ("int", Some("0xff")),
        Scalar::U16 => ("int", Some("0xffff")),
        Scalar::U32 => ("int", Some("Integer.MAX_VALUE")),
        Scalar::U64 => ("long", Some("Long.MAX_VALUE")),
        Scalar::Bool => ("boolean", None),
        Scalar::Text | Scalar::Name => ("String", None),
        Scalar::Ip => ("InetAddress", None),
        Scalar::Address => ("InetSocketAddress", None),
        Scalar::Duration => ("Duration", None),
        Scalar::Enum(name) => (name, None),
        Scalar::OptionValue => signature::no_place_for_values(),
    }
}

fn default(default: Default) -> String {
    match default {
        Default::Absent => "null".to_owned(),
        Default::Number(number) => number.to_string(),
        Default::Bool(on) => on.to_string(),
        Default::Duration(span) => format!("Duration.ofMillis({})", span.as_millis()),
    }
}
