//! Ruby: classes around core's records, a class per kind of error, enumerations, signatures.

mod classes;
mod errors;
mod signatures;

use anyhow::Result;
use heck::{ToShoutySnakeCase, ToSnakeCase};

use crate::output::Output;

const GEM: &str = "bindings/ruby";

/// Everything that Ruby needs.
pub fn all() -> Result<Vec<Output>> {
    Ok(vec![
        Output::new(format!("{GEM}/src/records.rs"), classes::rust()?),
        Output::new(format!("{GEM}/lib/subflows/records.rb"), classes::ruby()?),
        Output::new(format!("{GEM}/lib/subflows/kinds.rb"), errors::kinds()?),
        Output::new(format!("{GEM}/lib/subflows/enumerations.rb"), errors::enumerations()?),
        Output::new(format!("{GEM}/sig/subflows.rbs"), signatures::signatures()?),
    ])
}

/// The constant that lists an enumeration's values: `SubflowState` becomes `SUBFLOW_STATES`.
fn list_of(enumeration: &str) -> String {
    format!("{}S", enumeration.to_shouty_snake_case())
}

/// A value of an enumeration, as a symbol without its colon.
fn symbol(variant: &str) -> String {
    variant.to_snake_case()
}

/// How a field that is true or false is asked in Ruby: `is_ready` by `ready?`.
fn question(field: &subflows::table::Field) -> Option<String> {
    let is_bool = matches!(field.ty, subflows::table::Ty::Bool);
    field.name.strip_prefix("is_").filter(|_| is_bool).map(|name| format!("{name}?"))
}

/// Writes a comment, broken into lines.
fn comment(file: &mut String, indent: usize, first: &str, text: &str) {
    for line in textwrap::wrap(text, 96 - indent - first.len()) {
        file.push_str(&format!("{:indent$}# {first}{line}\n", ""));
    }
}
