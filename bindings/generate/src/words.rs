//! Names and sentences, turned from Rust's habits into those of others.

use heck::{ToShoutySnakeCase, ToSnakeCase};
use subflows::table::Unit;
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

/// A sentence for C programmers: what stands in backticks is named as C knows it.
pub fn for_c(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { c_word(part) } else { part.to_owned() }).collect()
}

fn c_word(word: &str) -> String {
    if OPERATIONS.iter().any(|operation| operation.name == word) {
        return format!("subflows_{word}()");
    }
    if ErrorKind::ALL.iter().any(|kind| kind.name() == word) {
        return c_kind(word);
    }
    if let Some((owner, member)) = word.split_once("::") {
        if OPTIONS.iter().any(|options| options.name == owner) {
            return format!("`{member}` of struct {}", c_options(owner));
        }
    }
    for enumeration in ENUMERATIONS {
        // A value that several enumerations have is named by the sentence around it.
        if enumeration.variants.iter().any(|variant| variant.name == word) {
            return c_variant(enumeration.name, word);
        }
    }
    if RECORDS.iter().any(|record| record.name == word) {
        return format!("struct {}", c_record(word));
    }
    format!("`{word}`")
}

/// The unit of a field, in words; nothing for plain numbers.
pub fn unit(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::Bytes => Some("bytes"),
        Unit::BytesPerSecond => Some("bytes per second"),
        Unit::Microseconds => Some("microseconds"),
        Unit::Milliseconds => Some("milliseconds"),
        Unit::Segments => Some("segments"),
        _ => None,
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
    }

    #[test]
    fn examples_and_errors_are_no_prose() {
        let doc = " Does it.\n More. And more.\n\n # Errors\n none\n";
        assert_eq!(prose(doc), ["Does it.", "More. And more."]);
        assert_eq!(first_sentence(doc), "Does it.");
    }
}
