//! Java: a final class per record, which reads one `long[]`; enumerations; options; the verbs, each on
//! every type of socket; their native functions; and the Rust side, which writes that `long[]`.

mod enums;
mod layout;
mod natives;
mod options;
mod records;
mod rust;
mod text;
mod verbs;

use anyhow::Result;

use crate::output::Output;

const PACKAGE: &str = "bindings/java/src/main/java/org/subflows";

/// All generated files of Java.
pub fn all() -> Result<Vec<Output>> {
    let mut outputs = vec![
        Output::new("bindings/java/src/records.rs", rust::rust()?),
        Output::new("bindings/java/src/verb/converted.rs", natives::rust()?),
        class("NativeVerbs", natives::java()?),
        class("Verbs", verbs::verbs()?),
        class("ErrorKind", enums::kinds()?),
    ];
    for record in subflows::RECORDS {
        outputs.push(class(record.name, records::record(record)?));
    }
    for enumeration in subflows::ENUMERATIONS {
        // Java has its own type for it, `StandardProtocolFamily`.
        if enumeration.name != "Family" {
            outputs.push(class(enumeration.name, enums::enumeration(enumeration)?));
        }
    }
    for table in subflows::OPTIONS {
        outputs.push(class(&text::options(table.name), options::options(table)?));
    }
    Ok(outputs)
}

fn class(name: &str, text: String) -> Output {
    Output::new(format!("{PACKAGE}/{name}.java"), text)
}
