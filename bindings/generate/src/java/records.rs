//! A final class per record: a view of one row of words.

use std::fmt::Write;

use anyhow::{Result, bail};
use subflows::table::{Field, RecordTable, Ty, Unit};

use super::layout::{self, Placed};
use super::text::{HEAD, comment, field, method, sentence};
use crate::words;

/// The class of one record.
pub(super) fn record(record: &RecordTable) -> Result<String> {
    let name = record.name;
    let places = layout::places(record)?;
    let mut body = String::new();
    for place in &places {
        body += &getter(place)?;
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

fn getter(place: &Placed) -> Result<String> {
    let (ty, read) = value(place.field, &place.ty, place.at)?;
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
    Ok(format!("{doc}    public {ty} {name}() {{\n        return {read};\n    }}\n\n"))
}

/// The Java type, and how it is read.
fn value(field: &Field, ty: &Ty, at: usize) -> Result<(String, String)> {
    let (ty, read) = match (ty, field.unit) {
        (_, Unit::Microseconds) => ("Duration", format!("micros({at})")),
        (_, Unit::Milliseconds) => ("Duration", format!("millis({at})")),
        (Ty::U8 | Ty::U16, _) => ("int", format!("(int) word({at})")),
        (Ty::U32 | Ty::U64, _) => ("long", format!("word({at})")),
        (Ty::Bool, _) => ("boolean", format!("word({at}) != 0")),
        (Ty::Text | Ty::Name, _) => ("String", format!("text({at})")),
        (Ty::Ip, _) => ("InetAddress", format!("ip({at})")),
        (Ty::Address, _) => ("InetSocketAddress", format!("address({at})")),
        (Ty::Enum(name), _) => (*name, format!("{name}.of(word({at}))")),
        (Ty::Record(name), _) => (*name, format!("new {name}(words(), at({at}))")),
        (Ty::List(Ty::Record(name)), _) => {
            return Ok((format!("List<{name}>"), format!("{name}.all(words(), at({at}))")));
        }
        (other, _) => bail!("{other:?} has no type in Java yet"),
    };
    Ok((ty.to_owned(), read))
}
