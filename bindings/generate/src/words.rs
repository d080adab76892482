//! Names and sentences, turned from Rust's habits into those of others.

use heck::{ToShoutySnakeCase, ToSnakeCase};
use subflows::table::{
    EnumerationTable, Field, Operation, OptionsTable, Privilege, RecordTable, Ty, Unit, Variant,
};
use subflows::{ENUMERATIONS, ErrorKind, OPERATIONS, OPTIONS, RECORDS};

/// The C name of a record.
pub fn c_record(name: &str) -> String {
    format!("subflows_{}", name.to_snake_case())
}

/// The C name of an options struct.
pub fn c_options(name: &str) -> String {
    format!("subflows_{}_options", name.to_snake_case())
}

/// The C constant of an error kind.
pub fn c_kind(name: &str) -> String {
    format!("SUBFLOWS_E_{}", name.to_shouty_snake_case())
}

/// The C constant of a value of an enumeration.
pub fn c_variant(enumeration: &str, variant: &str) -> String {
    format!("SUBFLOWS_{}_{}", enumeration.to_shouty_snake_case(), variant.to_shouty_snake_case())
}

/// The lines of a documentation comment, without its examples and its list of errors.
pub fn prose(doc: &str) -> Vec<String> {
    let lines = doc.lines().map(str::trim);
    let text = lines.take_while(|line| !line.starts_with("# ") && !line.starts_with("```"));
    let mut prose: Vec<String> = text.map(unlinked).collect();
    while prose.last().is_some_and(String::is_empty) {
        prose.pop();
    }
    prose
}

/// The prose of a documentation comment as one paragraph.
pub fn paragraph(doc: &str) -> String {
    prose(doc).into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The first sentence.
pub fn first_sentence(doc: &str) -> String {
    let text = paragraph(doc);
    match text.find(". ") {
        Some(end) => text[..=end].to_owned(),
        None => text,
    }
}

/// Rust's links to other items, as their names alone: "[`x`](y)" becomes "`x`".
fn unlinked(line: &str) -> String {
    let mut text = line.to_owned();
    while let Some(start) = text.find("[`") {
        let Some(middle) = text[start..].find("`]").map(|at| start + at) else { break };
        let name = text[start + 2..middle].to_owned();
        let rest = &text[middle + 2..];
        let end = match (rest.starts_with('('), rest.find(')')) {
            (true, Some(close)) => middle + 2 + close + 1,
            _ => middle + 2,
        };
        text.replace_range(start..end, &format!("`{name}`"));
    }
    text
}

/// What a word in backticks names, in Rust's spelling.
#[derive(Clone, Copy)]
pub enum Word<'a> {
    /// An operation.
    Operation(&'static str),
    /// A kind of error.
    Kind(ErrorKind),
    /// A value of an enumeration. One that several enumerations have is named by the sentence
    /// around it.
    Value(&'static EnumerationTable, &'static Variant),
    /// An option, and the operation that takes it.
    Option(&'static OptionsTable, &'static str, &'static Field),
    /// A method of a handle.
    Method(&'static str, &'a str),
    /// A record.
    Record(&'static RecordTable),
    /// A field of a record or of options.
    Field(&'static Field),
    /// Something else: it is spelled the same in every language.
    Other(&'a str),
}

impl<'a> Word<'a> {
    /// What that word names.
    pub fn of(word: &'a str) -> Word<'a> {
        if let Some(operation) = OPERATIONS.iter().find(|operation| operation.name == word) {
            return Word::Operation(operation.name);
        }
        if let Some(kind) = ErrorKind::ALL.iter().find(|kind| kind.name() == word) {
            return Word::Kind(*kind);
        }
        if let Some((owner, member)) = word.split_once("::") {
            return Word::member(owner, member).unwrap_or(Word::Other(word));
        }
        for table in ENUMERATIONS {
            if let Some(variant) = table.variants.iter().find(|variant| variant.name == word) {
                return Word::Value(table, variant);
            }
        }
        if let Some(record) = RECORDS.iter().find(|record| record.name == word) {
            return Word::Record(record);
        }
        let of_records = RECORDS.iter().flat_map(|record| record.fields);
        let mut fields = of_records.chain(OPTIONS.iter().flat_map(|options| options.fields));
        fields.find(|field| field.name == word).map_or(Word::Other(word), Word::Field)
    }

    fn member(owner: &str, member: &'a str) -> Option<Word<'a>> {
        let takes = |ty: &Ty| matches!(ty, Ty::Options(name) if *name == owner);
        OPERATIONS.iter().find_map(|operation| match operation.result {
            Ty::Handle(name) if name == owner => Some(Word::Method(name, member)),
            _ if operation.arguments.iter().any(|(_, ty)| takes(ty)) => {
                let table = OPTIONS.iter().find(|table| table.name == owner)?;
                let field = table.fields.iter().find(|field| field.name == member)?;
                Some(Word::Option(table, operation.name, field))
            }
            _ => None,
        })
    }
}

/// A text with each word in backticks as `spell` spells it.
pub fn spelled(text: &str, spell: impl Fn(Word<'_>) -> String) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(index, part)| match index % 2 {
            1 => spell(Word::of(part)),
            _ => part.to_owned(),
        })
        .collect()
}

/// A sentence for C programmers: what stands in backticks is named as C knows it.
pub fn for_c(text: &str) -> String {
    spelled(text, |word| match word {
        Word::Operation(name) => format!("subflows_{name}()"),
        Word::Kind(kind) => c_kind(kind.name()),
        Word::Value(table, variant) => c_variant(table.name, variant.name),
        Word::Option(table, _, field) => {
            format!("`{}` of struct {}", field.name, c_options(table.name))
        }
        Word::Method(handle, method) => format!("{}_{method}()", c_record(handle)),
        Word::Record(record) => format!("struct {}", c_record(record.name)),
        Word::Field(field) => format!("`{}`", field.name),
        Word::Other(word) => format!("`{word}`"),
    })
}

/// What an operation requires, for a table: the right, and since which Linux.
pub fn requirements(operation: &Operation) -> (String, String) {
    let right = match operation.privilege {
        Privilege::Nothing => "no privilege",
        Privilege::NetAdmin => "`CAP_NET_ADMIN`",
        Privilege::NetAdminForControl => "no privilege; `CAP_NET_ADMIN` with `control`",
    };
    let joined = |first: &str, between: &str, second: &str| match second {
        "" => first.to_owned(),
        second => format!("{first}{between}{second}"),
    };
    let since = if operation.since.is_empty() { "any" } else { operation.since };
    (joined(right, " and ", operation.requires), joined(since, ", with ", operation.with))
}

/// The unit of a field, in words; nothing for plain numbers.
pub fn unit(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::Bytes => Some("bytes"),
        Unit::BytesPerSecond => Some("bytes per second"),
        Unit::Microseconds => Some("microseconds"),
        Unit::Milliseconds => Some("milliseconds"),
        Unit::Segments => Some("segments"),
        Unit::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_become_names() {
        assert_eq!(unlinked("see [`open`](crate::open) and [`X`]."), "see `open` and `X`.");
        assert_eq!(for_c("see `open`"), "see subflows_open()");
        assert_eq!(for_c("fails with `NotReady`"), "fails with SUBFLOWS_E_NOT_READY");
        assert_eq!(for_c("(`Connect::control`)"), "(`control` of struct subflows_connect_options)");
        assert_eq!(for_c("call `Announced::turn_away`"), "call subflows_announced_turn_away()");
    }

    #[test]
    fn unknown_words_stay_as_they_are() {
        let word = |text: &str| {
            spelled(text, |word| match word {
                Word::Other(word) => format!("<{word}>"),
                _ => "known".to_owned(),
            })
        };
        assert_eq!(word("`CAP_NET_ADMIN` `mptcp_diag`"), "<CAP_NET_ADMIN> <mptcp_diag>");
        assert_eq!(word("`is_resync` `SynSent` `open` `Details`"), "known known known known");
    }

    #[test]
    fn examples_and_errors_are_no_prose() {
        let doc = " Does it.\n More. And more.\n\n # Errors\n none\n";
        assert_eq!(prose(doc), ["Does it.", "More. And more."]);
        assert_eq!(first_sentence(doc), "Does it.");
    }
}
