//! `subflows.h`, by cbindgen from the mirror and the hand-written entries.

use anyhow::{Context, Result};
use cbindgen::{Builder, Config, DocumentationStyle, Language, Style};

use super::comments;
use super::constants::FORMER_NAMES;
use super::entries::Entries;
use super::names;

pub(super) const HEAD: &str = include_str!("head.h");

/// The header's text.
pub(super) fn header(entries: &Entries, mirror: &str) -> Result<String> {
    let functions: String = entries.list.iter().map(comments::completed).collect();
    let text = [mirror, &entries.rest, &functions].join("\n");
    let items = text.lines().filter(|line| !line.starts_with("//!") && !line.starts_with("#!"));
    let source = tempfile::Builder::new().suffix(".rs").tempfile()?;
    std::fs::write(source.path(), items.collect::<Vec<_>>().join("\n"))?;
    let builder = Builder::new().with_config(config()).with_src(source.path());
    let bindings = builder.generate().context("cbindgen")?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    Ok(tidy(&String::from_utf8(text)?))
}

/// The output of cbindgen as a C programmer writes it: a comment that fits is on one line, and the
/// bits of a struct are adjacent.
fn tidy(text: &str) -> String {
    let mut tidied: Vec<String> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "/**" {
            let comment: Vec<&str> =
                lines.by_ref().take_while(|line| line.trim() != "*/").collect();
            tidied.extend(tidy_comment(line, &comment));
            continue;
        }
        let is_bit = |line: &str| line.starts_with("#define SUBFLOWS_") && line.contains("_HAS_");
        if is_bit(line) {
            let (name, number) = line.rsplit_once(' ').unwrap_or((line, ""));
            let bit = number.parse::<u64>().map_or(0, u64::trailing_zeros);
            // No empty line between the bits of one struct.
            if tidied.last().is_some_and(String::is_empty) && is_bit(before_last(&tidied)) {
                let owner = |line: &str| line.split("_HAS_").next().map(str::to_owned);
                if owner(before_last(&tidied)) == owner(line) {
                    tidied.pop();
                }
            }
            tidied.push(format!("{name} (UINT64_C(1) << {bit})"));
            continue;
        }
        tidied.push(line.to_owned());
    }
    tidied.join("\n") + "\n"
}

fn before_last(lines: &[String]) -> &str {
    lines.len().checked_sub(2).map_or("", |index| lines[index].as_str())
}

fn tidy_comment(first: &str, comment: &[&str]) -> Vec<String> {
    let indent = &first[..first.len() - first.trim_start().len()];
    if let [only] = comment {
        let line = format!("{indent}/** {} */", only.trim().trim_start_matches("* "));
        if line.len() <= 100 {
            return vec![line];
        }
    }
    let text = comment.iter().map(|line| (*line).to_owned());
    [first.to_owned()].into_iter().chain(text).chain([format!("{indent} */")]).collect()
}

/// Definitions with which programs that use a name of an earlier version still compile.
fn former_names() -> String {
    let defines = FORMER_NAMES.map(|(former, name)| format!("#define {former} {name}"));
    format!("\n/* Names of earlier versions. */\n{}", defines.join("\n"))
}

fn config() -> Config {
    let mut config = Config {
        language: Language::C,
        style: Style::Tag,
        cpp_compat: true,
        include_guard: Some("SUBFLOWS_H".to_owned()),
        header: Some(HEAD.trim_end().to_owned()),
        sys_includes: ["stdbool.h", "stddef.h", "stdint.h", "sys/socket.h", "sys/types.h"]
            .map(str::to_owned)
            .to_vec(),
        no_includes: true,
        after_includes: Some(former_names()),
        documentation_style: DocumentationStyle::Doxy,
        line_length: 100,
        usize_is_size_t: true,
        ..Config::default()
    };
    config.export.rename = [
        ("Flag", "bool"),
        ("sockaddr", "struct sockaddr"),
        ("sockaddr_storage", "struct sockaddr_storage"),
    ]
    .map(|(from, to)| (from.to_owned(), to.to_owned()))
    .into();
    config.export.exclude = vec!["Flag".to_owned()];
    config.export.include = subflows::ENUMERATIONS
        .iter()
        .map(|enumeration| names::c_record(enumeration.name))
        .chain(["subflows_error_kind".to_owned()])
        .collect();
    config
}
