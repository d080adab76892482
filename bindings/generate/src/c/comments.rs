//! The comment of each operation in the header: core's documentation, then the hand-written comment
//! on what is special in C, what the function returns, and what it requires.

use subflows::OPERATIONS;
use subflows::table::Operation;

use super::entries::Entry;
use super::names;
use crate::signature::{self, ResultType};
use crate::words;

/// An exported function with its whole comment.
pub(super) fn completed(entry: &Entry) -> String {
    let Some(operation) = OPERATIONS.iter().find(|operation| operation.name == entry.name) else {
        return entry.text.clone();
    };
    let (note, code) = entry.text.split_at(entry.text.find("#[").unwrap_or(0));
    let note = note.lines().map(|line| line.trim_start_matches("///").trim().to_owned());
    let lines =
        rendered(&paragraphs(operation, words::paragraphs(&note.collect::<Vec<_>>()), code));
    lines.join("\n") + "\n" + code
}

fn paragraphs(operation: &Operation, note: Vec<String>, code: &str) -> Vec<String> {
    let about = words::paragraphs(&words::prose(operation.doc));
    let mut paragraphs: Vec<String> = about.iter().map(|text| names::for_c(text)).collect();
    paragraphs.extend(note);
    let returns = returns(operation, code);
    // What is left of the list of an operation without errors of its own is not a list.
    let errors = words::errors(operation).into_iter().filter(|_| !operation.errors.is_empty());
    let mut errors = errors.map(|text| names::for_c(&text));
    match errors.next() {
        None => paragraphs.push(format!("{returns}.")),
        Some(item) if item.starts_with("- ") => paragraphs.extend([format!("{returns}:"), item]),
        Some(sentence) => paragraphs.push(format!("{returns}: {sentence}")),
    }
    paragraphs.extend(errors);
    paragraphs.push(names::for_c(operation.requirements));
    paragraphs
}

/// What the function returns, without the end of the sentence.
fn returns(operation: &Operation, code: &str) -> String {
    let parameter = |ty: &str| {
        let before = code.split_once(ty).map_or("", |(before, _)| before);
        before.rsplit([' ', '(']).next().unwrap_or_default()
    };
    let (handle, out) = (parameter(": Option<&mut MaybeUninit<"), parameter(": *mut "));
    if !handle.is_empty() {
        return format!("Returns 0 and a handle in `{handle}`, or a negative error");
    }
    match signature::result(operation) {
        ResultType::Socket => "Returns a descriptor, which is closed on exec and which the caller \
                          closes, or a negative error"
            .to_owned(),
        ResultType::List(_) => format!(
            "With a `room` of 0, `{out}` may be NULL, and the call only counts. Fills at most \
             `room` elements of `size` bytes at `{out}`, and returns how many there are, which may \
             be more than `room`, or a negative error"
        ),
        ResultType::Record(_) => {
            let own = format!("{out}_size");
            let size = if code.contains(&own) { own.as_str() } else { "size" };
            format!("Fills `{out}`, of `{size}` bytes, and returns 0, or a negative error")
        }
        ResultType::Nothing | ResultType::Handle(_) | ResultType::Value(_) => {
            "Returns 0, or a negative error".to_owned()
        }
    }
}

/// The items of a list follow their introduction without an empty line.
fn rendered(paragraphs: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, paragraph) in paragraphs.iter().enumerate() {
        let is_item = paragraph.starts_with("- ");
        if index > 0 && !is_item {
            lines.push("///".to_owned());
        }
        let indent = if is_item { "  " } else { "" };
        let options = textwrap::Options::new(97).subsequent_indent(indent);
        lines.extend(textwrap::wrap(paragraph, options).iter().map(|text| format!("/// {text}")));
    }
    lines
}
