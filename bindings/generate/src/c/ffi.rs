//! `subflows_ffi.h`: the header without a preprocessor, for the parsers of foreign function
//! interfaces. It declares what `subflows.h` declares, out of that header's text.

use anyhow::{Result, ensure};

use super::abi::Abi;
use super::constants::{FORMER_NAMES, presence};

const HEAD: &str = include_str!("ffi.h");
const STORAGE: &str = "subflows_sockaddr_storage";
const SOCKADDR: &str = "subflows_sockaddr";

/// The header's text, from that of `subflows.h`.
pub(super) fn header(header: &str, abi: &Abi) -> Result<String> {
    let mut text = HEAD.to_owned();
    for bits in bits(abi)? {
        text += &bits;
    }
    let mut was_block = true;
    for declaration in declarations(header) {
        let is_block = declaration.ends_with("\n};");
        if is_block || was_block {
            text.push('\n');
        }
        was_block = is_block;
        text += &plain(&declaration);
        text.push('\n');
    }
    Ok(text)
}

/// The declarations, each as its lines, without comments, directives and the marks for C++.
fn declarations(header: &str) -> Vec<String> {
    let mut declarations = Vec::new();
    let mut lines: Vec<&str> = Vec::new();
    let mut is_comment = false;
    for line in header.lines() {
        is_comment |= line.trim_start().starts_with("/*");
        let is_for_c = !is_comment && !line.starts_with(['#', '}']) && !line.starts_with("extern ");
        is_comment &= !line.ends_with("*/");
        if line == "};" || is_for_c && !line.is_empty() {
            lines.push(line);
        }
        let is_block = lines.first().is_some_and(|first| first.ends_with('{'));
        if line == "};" || line.ends_with(';') && !is_block {
            declarations.push(std::mem::take(&mut lines).join("\n"));
        }
    }
    declarations
}

/// Without the types of the system's headers. Their names could already be taken: some parsers have
/// one set of names for all libraries.
fn plain(declaration: &str) -> String {
    declaration
        .replace("struct sockaddr_storage", &format!("struct {STORAGE}"))
        .replace("struct sockaddr ", &format!("struct {SOCKADDR} "))
        .replace("socklen_t ", "uint32_t ")
        // Not every parser takes a comma after the last constant.
        .replace(",\n}", "\n}")
}

/// The bits of each presence word, and the constants with a former name.
fn bits(abi: &Abi) -> Result<Vec<String>> {
    let mut enumerations: Vec<(String, Vec<String>)> = Vec::new();
    for (structure, member, bit) in abi.bits() {
        // The constants of an enumeration are of the type int.
        ensure!(bit < 31, "{structure}.{member} needs a constant that is not an int");
        let constant = format!("  {} = {}", presence(structure, member), 1u32 << bit);
        match enumerations.last_mut() {
            Some((last, constants)) if last == structure => constants.push(constant),
            _ => enumerations.push((structure.to_owned(), vec![constant])),
        }
    }
    let numbers = abi.constants().collect::<Vec<_>>();
    let former = FORMER_NAMES.iter().filter_map(|(former, _)| {
        let (name, number) = numbers.iter().find(|(name, _)| name == former)?;
        Some(format!("  {name} = {number}"))
    });
    enumerations.push(("former names".to_owned(), former.collect()));
    let enumeration =
        |constants: Vec<String>| format!("\nenum {{\n{}\n}};\n", constants.join(",\n"));
    Ok(enumerations.into_iter().map(|(_, constants)| enumeration(constants)).collect())
}
