//! The comment of each operation in the header: core's documentation, then the hand-written comment
//! on what is special in C, what the function returns, and what it requires.

use subflows::OPERATIONS;
use subflows::table::Operation;

use super::names;
use crate::signature::{self, Given};
use crate::words;

/// The header with the comments of the operations completed.
pub(super) fn completed(header: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut rest = header.lines().peekable();
    while let Some(line) = rest.next() {
        let Some(operation) = operation(line) else {
            lines.push(line.to_owned());
            continue;
        };
        let mut declaration = vec![line.to_owned()];
        while declaration.last().is_some_and(|line| !line.ends_with(';')) {
            declaration.extend(rest.next().map(str::to_owned));
        }
        let note = words::paragraphs(&take_comment(&mut lines));
        let paragraphs = paragraphs(operation, note, &declaration.join(" "));
        lines.extend(rendered(&paragraphs));
        lines.extend(declaration);
    }
    lines.join("\n") + "\n"
}

/// The operation that a line declares.
fn operation(line: &str) -> Option<&'static Operation> {
    let start = line.split_once('(')?.0;
    let is_declaration = start.starts_with(|first: char| first.is_ascii_lowercase());
    let name = start.rsplit([' ', '*']).next()?.strip_prefix("subflows_")?;
    is_declaration.then_some(())?;
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// Removes the comment that the lines end with, and returns its lines.
fn take_comment(lines: &mut Vec<String>) -> Vec<String> {
    if !lines.last().is_some_and(|line| line.ends_with("*/")) {
        return Vec::new();
    }
    let start = lines.iter().rposition(|line| line.starts_with("/**")).unwrap_or(lines.len());
    let text = |line: String| {
        let line = line.trim_start_matches("/**").trim_end_matches("*/").trim();
        line.trim_start_matches('*').trim().to_owned()
    };
    let comment: Vec<String> = lines.drain(start..).map(text).collect();
    let is_inside = |(index, line): &(usize, &String)| !line.is_empty() || *index > 0;
    comment.iter().enumerate().filter(is_inside).map(|(_, line)| line.clone()).collect()
}

fn paragraphs(operation: &Operation, note: Vec<String>, declaration: &str) -> Vec<String> {
    let about = words::paragraphs(&words::prose(operation.doc));
    let mut paragraphs: Vec<String> = about.iter().map(|text| names::for_c(text)).collect();
    paragraphs.extend(note);
    let returns = returns(operation, declaration);
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
fn returns(operation: &Operation, declaration: &str) -> String {
    let parameters =
        declaration.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(");"));
    let parameters: Vec<&str> = parameters.split(", ").collect();
    let name = |parameter: &str| parameter.rsplit([' ', '*']).next().unwrap_or("").to_owned();
    let before = |wanted: &str| {
        let at = parameters.iter().position(|parameter| parameter.trim() == wanted)?;
        parameters.get(at.checked_sub(1)?).map(|parameter| name(parameter))
    };
    if let Some(handle) = parameters.last().filter(|parameter| parameter.contains("**")) {
        return format!("Returns 0 and a handle in `{}`, or a negative error", name(handle));
    }
    match (signature::result(operation), before("size_t room"), parameters.as_slice()) {
        (Given::Socket, ..) => {
            "Returns a descriptor, which is closed on exec and which the caller \
                                closes, or a negative error"
                .to_owned()
        }
        (Given::List(_), Some(out), _) => format!(
            "With a `room` of 0, `{out}` may be NULL, and the call only counts. Fills at most \
             `room` elements of `size` bytes at `{out}`, and returns how many there are, which may \
             be more than `room`, or a negative error"
        ),
        (Given::Record(_), _, [.., out, size]) => {
            let (out, size) = (name(out), name(size));
            format!("Fills `{out}`, of `{size}` bytes, and returns 0, or a negative error")
        }
        _ => "Returns 0, or a negative error".to_owned(),
    }
}

/// The items of a list follow their introduction without an empty line.
fn rendered(paragraphs: &[String]) -> Vec<String> {
    let mut lines = vec!["/**".to_owned()];
    for (index, paragraph) in paragraphs.iter().enumerate() {
        let is_item = paragraph.starts_with("- ");
        if index > 0 && !is_item {
            lines.push(" *".to_owned());
        }
        let indent = if is_item { "  " } else { "" };
        let options = textwrap::Options::new(97).subsequent_indent(indent);
        lines.extend(textwrap::wrap(paragraph, options).iter().map(|text| format!(" * {text}")));
    }
    lines.push(" */".to_owned());
    lines
}
