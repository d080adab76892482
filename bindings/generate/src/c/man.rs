//! The manual pages of the C library, from the header: a page for each group of functions, a link
//! for each function, and `subflows(7)` for the concepts.

use std::collections::{BTreeMap, BTreeSet};

use roff::{Inline, Roff, bold, italic, roman};

use super::entries::Entry;
use super::reporting;
use crate::output::Output;

const SHARE: &str = "bindings/c/share/man";
const OVERVIEW: &str = include_str!("overview.txt");
const SECOND_FORMS: &str = include_str!("second_forms.txt");

/// A function or a struct of the header, with its comment.
struct Item {
    /// Paragraphs.
    comment: Vec<String>,
    declaration: Vec<String>,
}

impl Item {
    /// The name of the function; `None` for everything else.
    fn function(&self) -> Option<&str> {
        let text = self.declaration.first()?;
        let is_function = text.starts_with(|first: char| first.is_ascii_lowercase());
        let name = text.split_once('(')?.0.rsplit([' ', '*']).next()?;
        (is_function && name.starts_with("subflows_")).then_some(name)
    }

    fn text(&self) -> String {
        [&self.comment[..], &self.declaration[..]].concat().join(" ") + " "
    }

    fn first_sentence(&self) -> String {
        let text = self.comment.first().map_or("", String::as_str);
        text.split_inclusive(". ").next().unwrap_or(text).trim().to_owned()
    }
}

/// Every page.
pub(super) fn pages(entries: &[Entry], header: &str) -> Vec<Output> {
    let items = parse(header);
    let mut outputs = vec![page(7, "subflows", overview()), page(3, "subflows", library(&items))];
    for name in entries.iter().map(|entry| &entry.page).collect::<BTreeSet<_>>() {
        let group = format!("subflows_{name}");
        let is_here = |item: &&Item| {
            let is_it =
                |entry: &Entry| item.function() == Some(&format!("subflows_{}", entry.name));
            entries.iter().any(|entry| entry.page == *name && is_it(entry))
        };
        let functions: Vec<&Item> = items.iter().filter(is_here).collect();
        for name in functions.iter().filter_map(|item| item.function()).filter(|n| *n != group) {
            let link = format!(".so man3/{group}.3\n");
            outputs.push(Output::new(format!("{SHARE}/man3/{name}.3"), link));
        }
        let roff = match name.as_str() {
            reporting::PAGE => second_forms(&group, &functions, &items),
            _ => manual(&group, &functions, &items),
        };
        outputs.push(page(3, &group, roff));
    }
    outputs
}

fn page(section: u8, name: &str, roff: Roff) -> Output {
    Output::new(format!("{SHARE}/man{section}/{name}.{section}"), roff.to_roff())
}

fn titled(name: &str, section: &str) -> Roff {
    let mut roff = Roff::new();
    let version = concat!("subflows ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", [name, section, "", version, "subflows"]);
    roff
}

fn heading(roff: &mut Roff, name: &str) {
    roff.control("SH", [name]);
}

fn parse(header: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut comment: Vec<String> = Vec::new();
    let mut lines = header.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(only) = line.strip_prefix("/** ") {
            comment = vec![only.trim_end_matches(" */").to_owned()];
        } else if line == "/**" {
            let inside = lines.by_ref().take_while(|line| line.trim() != "*/");
            comment = paragraphs(inside);
        } else if line.is_empty() {
            comment.clear();
        } else if !line.starts_with(['#', '}']) && !line.starts_with("extern ") {
            let is_block = line.ends_with('{');
            let mut declaration = vec![line.to_owned()];
            let is_end = |line: &str| if is_block { line == "};" } else { line.ends_with(';') };
            while !declaration.last().is_some_and(|line| is_end(line)) {
                let Some(next) = lines.next() else { break };
                declaration.push(next.to_owned());
            }
            items.push(Item { comment: std::mem::take(&mut comment), declaration });
        }
    }
    items
}

fn paragraphs<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut paragraphs = vec![String::new()];
    for line in lines {
        let text = line.trim().trim_start_matches('*').trim();
        if text.starts_with("- ") {
            paragraphs.push(String::new());
        }
        match (text.is_empty(), paragraphs.last_mut()) {
            (true, _) => paragraphs.push(String::new()),
            (false, Some(last)) => {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(text);
            }
            (false, None) => {}
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

/// A group's page.
fn manual(group: &str, functions: &[&Item], items: &[Item]) -> Roff {
    let mut roff = titled(group, "3");
    heading(&mut roff, "NAME");
    let names: Vec<_> = functions.iter().filter_map(|item| item.function()).collect();
    let what = functions.first().map_or(String::new(), |first| first.first_sentence());
    let what = what.trim_end_matches('.');
    roff.text([roman(format!("{} - {}", names.join(", "), lowercase_first(what)))]);
    heading(&mut roff, "SYNOPSIS");
    declarations(&mut roff, functions);
    heading(&mut roff, "DESCRIPTION");
    for function in functions {
        roff.control("SS", [format!("{}()", function.function().unwrap_or_default()).as_str()]);
        body(&mut roff, &function.comment);
    }
    types(functions, items).into_iter().for_each(|ty| describe(&mut roff, ty));
    heading(&mut roff, "RETURN VALUE");
    roff.text([roman(
        "Functions that can fail return 0 or a positive number on success, and a negative number \
         of enum subflows_error_kind on failure: see subflows_error(3).",
    )]);
    heading(&mut roff, "SEE ALSO");
    roff.text([bold("subflows"), roman("(3), "), bold("subflows"), roman("(7)")]);
    roff
}

/// The page of the functions whose names end in `_e`, which differ only in their names.
fn second_forms(group: &str, functions: &[&Item], items: &[Item]) -> Roff {
    let mut roff = titled(group, "3");
    heading(&mut roff, "NAME");
    roff.text([roman(format!("{group} - calls that copy a failure to their caller"))]);
    heading(&mut roff, "SYNOPSIS");
    declarations(&mut roff, functions);
    heading(&mut roff, "DESCRIPTION");
    let text = SECOND_FORMS.split("\n\n").map(|text| text.replace('\n', " ").trim().to_owned());
    body(&mut roff, &text.collect::<Vec<_>>());
    // The other types are on the pages of the first forms.
    let failure = items.iter().find(|item| item.declaration[0] == "struct subflows_failure {");
    failure.into_iter().for_each(|ty| describe(&mut roff, ty));
    heading(&mut roff, "SEE ALSO");
    roff.text([bold("subflows_error"), roman("(3), "), bold("subflows"), roman("(3)")]);
    roff
}

/// The synopsis.
fn declarations(roff: &mut Roff, functions: &[&Item]) {
    roff.control("nf", []).text([bold("#include <subflows.h>")]).text([roman("")]);
    for function in functions {
        for line in &function.declaration {
            roff.text([bold(line.as_str())]);
        }
        roff.text([roman("")]);
    }
    roff.control("fi", []).text([italic("cc `pkg-config --cflags --libs subflows`")]);
}

/// A struct or an enumeration.
fn describe(roff: &mut Roff, ty: &Item) {
    heading(roff, &ty.declaration[0].trim_end_matches(" {").to_uppercase());
    body(roff, &ty.comment);
    members(roff, ty);
}

fn lowercase_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

/// The structs that these functions take or fill, and the enumerations that they mention. Structs
/// whose members are not public are left out.
fn types<'a>(functions: &[&Item], items: &'a [Item]) -> Vec<&'a Item> {
    let mut text: String = functions.iter().map(|item| item.text()).collect();
    let of_kind = |kind: &'static str, text: &str, end: &str| -> Vec<&'a Item> {
        let is_used = |item: &&Item| {
            let Some(name) = item.declaration[0].strip_suffix(" {") else { return false };
            name.starts_with(kind) && text.contains(&format!("{name}{end}"))
        };
        items.iter().filter(is_used).collect()
    };
    let mut types = of_kind("struct ", &text, " *");
    text.extend(types.iter().map(|item| item.text()));
    types.extend(of_kind("enum ", &text, ""));
    types
}

/// Each member of a struct, or value of an enumeration, with its comment.
fn members(roff: &mut Roff, ty: &Item) {
    let inside = &ty.declaration[1..ty.declaration.len() - 1];
    let mut comment = Vec::new();
    for line in inside {
        let text = line.trim();
        if text.ends_with([';', ',']) && !text.starts_with(['/', '*']) {
            if !text.contains("reserved_") {
                roff.control("TP", []).text([bold(text.trim_end_matches([';', ',']))]);
                let text = paragraphs(comment.iter().map(String::as_str)).join(" ");
                roff.text(inline(&text));
            }
            comment.clear();
        } else {
            let text = text.trim_start_matches("/**").trim_end_matches("*/").trim();
            comment.push(text.to_owned());
        }
    }
}

fn body(roff: &mut Roff, paragraphs: &[String]) {
    for (index, paragraph) in paragraphs.iter().enumerate() {
        let item = paragraph.strip_prefix("- ");
        if item.is_some() {
            roff.control("IP", ["-", "2"]);
        } else if index > 0 {
            roff.control("PP", []);
        }
        roff.text(inline(item.unwrap_or(paragraph)));
    }
}

/// Words in backticks are set in bold.
fn inline(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { bold(part) } else { roman(part) }).collect()
}

/// `subflows(3)`: every function in one line.
fn library(items: &[Item]) -> Roff {
    let mut roff = titled("subflows", "3");
    heading(&mut roff, "NAME");
    roff.text([roman("libsubflows - see and steer the subflows of Multipath TCP connections")]);
    heading(&mut roff, "SYNOPSIS");
    roff.control("nf", []).text([bold("#include <subflows.h>")]);
    roff.control("fi", []).text([italic("cc `pkg-config --cflags --libs subflows`")]);
    heading(&mut roff, "DESCRIPTION");
    let head: Vec<String> = paragraphs(super::header::HEAD.lines().skip(1))
        .into_iter()
        .filter(|paragraph| !paragraph.contains("int fd =") && !paragraph.contains("cargo regen"))
        .collect();
    body(&mut roff, &head);
    heading(&mut roff, "FUNCTIONS");
    let functions = items.iter().filter_map(|item| Some((item.function()?, item)));
    let is_first_form = |(name, _): &(&str, &Item)| !name.ends_with(reporting::SUFFIX);
    let functions: BTreeMap<_, _> = functions.filter(is_first_form).collect();
    for (name, item) in functions {
        roff.control("TP", []).text([bold(name), roman("(3)")]);
        roff.text(inline(&item.first_sentence()));
    }
    roff.control("TP", []).text([bold("subflows_failure"), roman("(3)")]);
    roff.text([roman("The second form of each function that can fail.")]);
    heading(&mut roff, "SEE ALSO");
    roff.text([bold("subflows"), roman("(1), "), bold("subflows"), roman("(7)")]);
    roff
}

/// `subflows(7)`, from a hand-written text: a line in capitals is a heading.
fn overview() -> Roff {
    let mut roff = titled("subflows", "7");
    for block in OVERVIEW.split("\n\n") {
        let text = block.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase() || c == ' ') {
            heading(&mut roff, &text);
        } else if let Some(code) = block.strip_prefix("    ") {
            roff.control("PP", []).control("nf", []);
            for line in code.lines() {
                roff.text([bold(line.trim_start_matches("    "))]);
            }
            roff.control("fi", []);
        } else {
            roff.control("PP", []).text(inline(&text));
        }
    }
    roff
}
