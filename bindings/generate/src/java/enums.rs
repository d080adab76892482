//! The enumerations, and the kinds of error. Each has `UNKNOWN`, for numbers of a newer native part.

use std::fmt::Write;

use anyhow::Result;
use heck::ToShoutySnakeCase;
use subflows::ErrorKind;
use subflows::table::EnumerationTable;

use super::text::{HEAD, comment, sentence};
use crate::words;

/// One enumeration.
pub(super) fn enumeration(table: &EnumerationTable) -> Result<String> {
    let name = table.name;
    let mut file = HEAD.to_owned();
    file += &comment("", &[sentence(&words::paragraph(table.doc))]);
    writeln!(file, "public enum {name} {{")?;
    for variant in table.variants {
        file += &comment("    ", &[sentence(&words::paragraph(variant.doc))]);
        writeln!(file, "    {}({}),", variant.name.to_shouty_snake_case(), variant.number)?;
    }
    if table.variants.iter().all(|variant| variant.name != "Unknown") {
        file += &comment("    ", &["A value that this version does not know.".to_owned()]);
        file.push_str("    UNKNOWN(-1),\n");
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

/// The kinds of error.
pub(super) fn kinds() -> Result<String> {
    let mut file = HEAD.to_owned();
    file +=
        &comment("", &["A kind of error, on which a caller can act.".into()]);
    file.push_str("public enum ErrorKind {\n");
    for kind in ErrorKind::ALL {
        let mut what = kind.what().to_owned();
        what[..1].make_ascii_uppercase();
        let doc = format!("{}. {}", sentence(&what), sentence(kind.remedy()));
        file += &comment("    ", &[doc]);
        writeln!(file, "    {}({}),", kind.name().to_shouty_snake_case(), kind.code())?;
    }
    file += &comment("    ", &["A kind that this version does not know.".to_owned()]);
    file.push_str(
        "    UNKNOWN(-1);

    private final int number;

    ErrorKind(int number) {
        this.number = number;
    }

    /** The number, the same in every language. */
    public int number() {
        return number;
    }

    static ErrorKind of(int number) {
        for (ErrorKind kind : values()) {
            if (kind.number == number) {
                return kind;
            }
        }
        return UNKNOWN;
    }
}
",
    );
    Ok(file)
}
