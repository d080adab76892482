//! A final class per record: a view of one row of words.

use std::fmt::Write;

use anyhow::Result;
use subflows::table::{RecordTable, Unit};

use super::layout::{self, Placed};
use super::text::{HEAD, comment, field, method, sentence};
use crate::signature::{FieldType, Scalar};
use crate::words;

/// The class of one record.
pub(super) fn record(record: &RecordTable) -> Result<String> {
    let name = record.name;
    let places = layout::places(record)?;
    let mut body = String::new();
    for place in &places {
        body += &getter(place);
    }
    let mut file = HEAD.to_owned();
    for import in [
        "java.net.InetAddress",
        "java.net.InetSocketAddress",
        "java.time.Duration",
        "java.util.List",
        "java.util.Map",
        "java.util.Optional",
        "java.util.OptionalInt",
        "java.util.OptionalLong",
    ] {
        let class = import.rsplit('.').next().unwrap_or(import);
        let is_used = [" ", "<"].iter().any(|before| {
            [" ", "<", ">"].iter().any(|after| body.contains(&format!("{before}{class}{after}")))
        });
        if is_used || matches!(class, "List" | "Map") {
            writeln!(file, "import {import};")?;
        }
    }
    file.push('\n');
    file += &comment("", &[sentence(&words::paragraph(record.doc))]);
    writeln!(file, "public final class {name} extends Row {{")?;
    writeln!(file, "    private static final int WIDTH = {};\n", layout::width(record)?)?;
    writeln!(file, "    {name}(long[] words, int at) {{\n        super(words, at);\n    }}\n")?;
    writeln!(
        file,
        "    static {name} only(long[] words) {{\n        return new {name}(words, 1);\n    }}\n"
    )?;
    writeln!(
        file,
        "    static List<{name}> all(long[] words, int at) {{\n        \
         return rows(words, at, WIDTH, {name}::new);\n    }}\n"
    )?;
    file += &body;
    file.push_str("    @Override\n    void fields(Map<String, Object> fields) {\n");
    for place in &places {
        let method = method(place.field);
        writeln!(file, "        fields.put(\"{method}\", {method}());")?;
    }
    file.push_str("    }\n}\n");
    Ok(file)
}

fn getter(place: &Placed) -> String {
    let (ty, read) = value(place);
    let (ty, read) = match place.bit {
        None => (ty, read),
        Some(bit) => {
            let class = match ty.as_str() {
                "int" => "OptionalInt".to_owned(),
                "long" => "OptionalLong".to_owned(),
                "boolean" => "Optional<Boolean>".to_owned(),
                other => format!("Optional<{other}>"),
            };
            let plain = class.split('<').next().unwrap_or(&class).to_owned();
            (class, format!("has({bit}) ? {plain}.of({read}) : {plain}.empty()"))
        }
    };
    let doc = comment("    ", &[field(place.field)]);
    let name = method(place.field);
    format!("{doc}    public {ty} {name}() {{\n        return {read};\n    }}\n\n")
}

/// The Java type, and the expression that reads it.
fn value(Placed { field, ty, at, .. }: &Placed) -> (String, String) {
    let (ty, read) = match ty {
        FieldType::Record(record) => {
            (record.name, format!("new {}(words(), at({at}))", record.name))
        }
        FieldType::List(record) => {
            let name = record.name;
            return (format!("List<{name}>"), format!("{name}.all(words(), at({at}))"));
        }
        FieldType::Value(scalar) => match (field.unit, *scalar) {
            (Unit::Microseconds, _) => ("Duration", format!("micros({at})")),
            (Unit::Milliseconds, _) | (_, Scalar::Duration) => {
                ("Duration", format!("millis({at})"))
            }
            (_, Scalar::U8 | Scalar::U16) => ("int", format!("(int) word({at})")),
            (_, Scalar::U32 | Scalar::U64) => ("long", format!("word({at})")),
            (_, Scalar::Bool) => ("boolean", format!("word({at}) != 0")),
            (_, Scalar::Text | Scalar::Name) => ("String", format!("text({at})")),
            (_, Scalar::Ip) => ("InetAddress", format!("ip({at})")),
            (_, Scalar::Address) => ("InetSocketAddress", format!("address({at})")),
            (_, Scalar::Enum(name)) => (name, format!("{name}.of(word({at}))")),
            (_, Scalar::OptionValue) => crate::signature::no_place_for_values(),
        },
    };
    (ty.to_owned(), read)
}
