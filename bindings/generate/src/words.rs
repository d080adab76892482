//! The documentation of core's items as text for other languages.

use subflows::table::{
    EnumerationTable, Field, Operation, OptionsTable, Privilege, RecordTable, Type, Unit, Variant,
};
use subflows::{ENUMERATIONS, ErrorKind, OPERATIONS, OPTIONS, RECORDS};

use crate::signature;

/// The name of an options struct without `Options`, which not every such name ends with.
pub fn options_stem(name: &str) -> &str {
    name.strip_suffix("Options").unwrap_or(name)
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

/// The errors of an operation, and when they occur: paragraphs, or items of a list. Errors that
/// every operation can return are left out, and so are those that only Rust's function returns,
/// because it resolves names itself.
pub fn errors(operation: &Operation) -> Vec<String> {
    let lines = operation.doc.lines().map(str::trim);
    let lines = lines.skip_while(|line| *line != "# Errors").skip(1);
    let lines = lines.take_while(|line| !line.starts_with("# ") && !line.starts_with("```"));
    let mut blocks: Vec<String> = Vec::new();
    let mut is_new = true;
    for line in lines.map(unlinked) {
        match blocks.last_mut() {
            Some(last) if !is_new && !line.is_empty() && !line.starts_with("- ") => {
                *last = format!("{last} {line}");
            }
            _ if line.is_empty() => {}
            _ => blocks.push(line.clone()),
        }
        is_new = line.is_empty();
    }
    let is_in_row = |clause: &&str| {
        let kind = |word: &str| ErrorKind::ALL.iter().find(|kind| kind.name() == word);
        let mut kinds = clause.split('`').skip(1).step_by(2).filter_map(kind).peekable();
        kinds.peek().is_none() || kinds.any(|kind| operation.errors.contains(kind))
    };
    let kept = |block: &String| {
        let text = block.trim_end_matches('.').split("; ").filter(is_in_row).collect::<Vec<_>>();
        (!text.is_empty()).then(|| text.join("; ") + ".")
    };
    blocks.iter().filter_map(kept).collect()
}

/// Lines as paragraphs.
pub fn paragraphs(lines: &[String]) -> Vec<String> {
    let paragraphs = lines.split(String::is_empty).filter(|lines| !lines.is_empty());
    paragraphs.map(|lines| lines.join(" ")).collect()
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

/// Replaces Rust's links to other items by their names: "[`x`](y)" becomes "`x`".
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

/// The item that a word in backticks names, in Rust's spelling.
#[derive(Clone, Copy)]
pub enum Word<'a> {
    /// An operation.
    Operation(&'static str),
    /// A kind of error.
    Kind(ErrorKind),
    /// A value of an enumeration. If several enumerations have it, the first in the list is taken.
    Value(&'static EnumerationTable, &'static Variant),
    /// An option, and the operation that takes it.
    Option(&'static OptionsTable, &'static str, &'static Field),
    /// An operation with a switch: the switch, and the operation.
    Switched(&'static str, &'static str),
    /// A method of a handle.
    Method(&'static str, &'a str),
    /// A record.
    Record(&'static RecordTable),
    /// A field of a record or of options.
    Field(&'static Field),
    /// Another word, which every language spells the same.
    Other(&'a str),
}

impl<'a> Word<'a> {
    /// The item that the word names.
    pub fn of(word: &'a str) -> Word<'a> {
        if let Some(operation) = OPERATIONS.iter().find(|operation| operation.name == word) {
            return Word::Operation(operation.name);
        }
        if let Some(kind) = ErrorKind::ALL.iter().find(|kind| kind.name() == word) {
            return Word::Kind(*kind);
        }
        if let Some(switched) = OPERATIONS.iter().find_map(|operation| {
            let mut switches = signature::keywords(operation).into_iter();
            let name = switches.find(|k| word == format!("{}_{}", k.name, operation.name))?.name;
            Some(Word::Switched(name, operation.name))
        }) {
            return switched;
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
        if let Some(table) = ENUMERATIONS.iter().find(|table| table.name == owner) {
            let variant = table.variants.iter().find(|variant| variant.name == member)?;
            return Some(Word::Value(table, variant));
        }
        let takes = |ty: &Type| matches!(ty, Type::Options(name) if *name == owner);
        OPERATIONS.iter().find_map(|operation| match operation.result {
            Type::Handle(name) if name == owner => Some(Word::Method(name, member)),
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

/// What an operation requires, for a table: the privilege, and the first Linux version.
pub fn requirements(operation: &Operation) -> (String, String) {
    let right = match operation.privilege {
        Privilege::Nothing => "no privilege",
        Privilege::NetAdmin => "`CAP_NET_ADMIN`",
        Privilege::OwnNetAdmin => "`CAP_NET_ADMIN`, without a broker",
        Privilege::NetAdminForControl => "no privilege; `CAP_NET_ADMIN` with `control`",
        Privilege::Bpf => "`CAP_BPF` and `CAP_PERFMON`",
        Privilege::BpfForMost => "`CAP_BPF` and `CAP_PERFMON`, except for some options",
    };
    let joined = |first: &str, between: &str, second: &str| match second {
        "" => first.to_owned(),
        second => format!("{first}{between}{second}"),
    };
    let since = if operation.since.is_empty() { "any" } else { operation.since };
    (joined(right, " and ", operation.requires), joined(since, ", with ", operation.with))
}

/// The unit of a field; `None` for plain numbers.
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
    fn no_rust_path_is_left() {
        // Unlike the address `::`.
        let is_path = |word: &str| word.find("::").is_some_and(|at| at > 0);
        let of_fields = |fields: &'static [Field]| fields.iter().map(|field| field.doc);
        let records = RECORDS.iter().flat_map(|r| of_fields(r.fields).chain([r.doc]));
        let options = OPTIONS.iter().flat_map(|o| of_fields(o.fields).chain([o.doc]));
        let operations = OPERATIONS.iter().flat_map(|o| [o.doc, o.requirements]);
        for doc in records.chain(options).chain(operations) {
            spelled(&paragraph(doc), |word| match word {
                Word::Other(word) if is_path(word) => panic!("{word}: {doc}"),
                _ => String::new(),
            });
        }
    }

    #[test]
    fn errors_are_those_of_the_row() {
        let of = |name| errors(OPERATIONS.iter().find(|row| row.name == name).unwrap());
        assert_eq!(of("info"), ["`NotMptcp` for plain TCP and after fallback."]);
        assert_eq!(of("upgrade").last().unwrap(), "The socket is as it was after every error.");
        assert!(of("connect").iter().all(|error| !error.contains("InvalidArgument")));
    }

    #[test]
    fn examples_and_errors_are_not_prose() {
        let doc = " Does it.\n More. And more.\n\n # Errors\n none\n";
        assert_eq!(prose(doc), ["Does it.", "More. And more."]);
        assert_eq!(first_sentence(doc), "Does it.");
    }
}
