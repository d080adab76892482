//! The enumerations, and the kinds of error. Each has `UNKNOWN`, for numbers of a newer native part.

use std::fmt::Write;

use anyhow::Result;
use heck::ToShoutySnakeCase;
use subflows::ErrorKind;
use subflows::table::{EnumerationTable, Variant};

use super::text::{HEAD, comment, sentence};
use crate::words;

/// One enumeration.
pub(super) fn enumeration(table: &EnumerationTable) -> Result<String> {
    let value = |variant: &Variant| {
        (sentence(&words::paragraph(variant.doc)), variant.name, variant.number)
    };
    let mut values: Vec<_> = table.variants.iter().map(value).collect();
    if values.iter().all(|(_, name, _)| *name != "Unknown") {
        values.push(("A value that this version does not know.".to_owned(), "Unknown", -1));
    }
    class(table.name, sentence(&words::paragraph(table.doc)), &values)
}

/// The kinds of error.
pub(super) fn kinds() -> Result<String> {
    let value = |kind: &ErrorKind| {
        let mut what = kind.what().to_owned();
        what[..1].make_ascii_uppercase();
        let doc = format!("{}. {}", sentence(&what), sentence(kind.remedy()));
        (doc, kind.name(), kind.code())
    };
    let mut values: Vec<_> = ErrorKind::ALL.iter().map(value).collect();
    values.push(("A kind that this version does not know.".to_owned(), "Unknown", -1));
    class("ErrorKind", "A kind of error, on which a caller can act.".to_owned(), &values)
}

fn class(name: &str, doc: String, values: &[(String, &str, i32)]) -> Result<String> {
    let mut file = HEAD.to_owned();
    file += &comment("", &[doc]);
    writeln!(file, "public enum {name} {{")?;
    for (doc, value, number) in values {
        file += &comment("    ", std::slice::from_ref(doc));
        writeln!(file, "    {}({number}),", value.to_shouty_snake_case())?;
    }
    file.truncate(file.len() - 2);
    write!(
        file,
        ";

    private final int number;

    {name}(int number) {{
        this.number = number;
    }}

    /** The number, the same in every language. */
    public int number() {{
        return number;
    }}

    static {name} of(long number) {{
        for ({name} value : values()) {{
            if (value.number == number) {{
                return value;
            }}
        }}
        return UNKNOWN;
    }}
}}
"
    )?;
    Ok(file)
}
