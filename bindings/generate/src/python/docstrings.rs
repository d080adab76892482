//! The docstring of each function: the text of core's table, then a hand-written example.

use std::path::Path;

use anyhow::{Context, Result};
use subflows::table::Operation;

use super::spelled;
use crate::signature::{self, Scalar};
use crate::words;

/// The hand-written parts: a section per operation.
pub(super) struct Docstrings(String);

const FILE: &str = "bindings/python/_docstrings.in";

impl Docstrings {
    pub(super) fn read(root: &Path) -> Result<Docstrings> {
        Ok(Docstrings(std::fs::read_to_string(root.join(FILE)).context(FILE)?))
    }

    /// The whole docstring of an operation.
    pub(super) fn of(&self, operation: &Operation) -> Result<String> {
        let (notes, example) = self.section(operation.name).with_context(|| {
            format!("{FILE}: `## {}` and an example are missing", operation.name)
        })?;
        let parameters = format!("{}\n{}", notes.trim_end(), options(operation));
        let (about, parameters) = (about(operation), parameters.trim());
        let between = if parameters.is_empty() { "" } else { "\n\n" };
        Ok(format!("{}{between}{parameters}\n\n{}", about.trim_end(), example.trim_end()))
    }

    /// The notes of an operation, and its example.
    fn section(&self, name: &str) -> Option<(&str, &str)> {
        let mut sections = self.0.split("\n## ").skip(1);
        let section = sections.find_map(|section| section.strip_prefix(&format!("{name}\n")))?;
        section.find(">>>").map(|at| section.split_at(at))
    }
}

/// Its prose, what it requires, and what it raises.
fn about(operation: &Operation) -> String {
    let mut text = String::new();
    for paragraph in words::paragraphs(&words::prose(operation.doc)) {
        block(&mut text, &paragraph);
    }
    block(&mut text, operation.requirements);
    let errors = words::errors(operation);
    if !operation.errors.is_empty() {
        text.push_str("Raises:\n\n");
        errors.iter().for_each(|error| block(&mut text, error));
    }
    text
}

/// A paragraph, or an item of a list, which follows the text before it without an empty line.
fn block(text: &mut String, paragraph: &str) {
    let is_item = paragraph.starts_with("- ");
    if !is_item && !text.is_empty() && !text.ends_with("\n\n") {
        text.push('\n');
    }
    text.push_str(&wrapped(paragraph));
    if !is_item {
        text.push('\n');
    }
}

/// The options, each as an item of a list.
fn options(operation: &Operation) -> String {
    let item = |option: signature::Keyword| {
        let unit = if option.scalar == Scalar::Duration { " In seconds." } else { "" };
        let doc = words::paragraph(option.doc);
        wrapped(&format!("- `{}`: {doc}{unit}", option.name))
    };
    super::keywords(operation).into_iter().map(item).collect()
}

/// Broken into lines; those of an item are indented.
fn wrapped(paragraph: &str) -> String {
    let indent = if paragraph.starts_with("- ") { "  " } else { "" };
    let options = textwrap::Options::new(96).subsequent_indent(indent);
    let text = spelled(paragraph);
    textwrap::fill(&text, options) + "\n"
}
