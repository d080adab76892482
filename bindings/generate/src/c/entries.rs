//! The functions that the library exports, each with its manual page: those of `bindings/c/src`,
//! where a file is a page, and the generated ones.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::abi::Abi;

const FOLDER: &str = "bindings/c/src";
/// The files that are outputs.
const GENERATED: [&str; 2] = ["converted", "reporting"];

/// An exported function.
pub(super) struct Entry {
    pub(super) name: String,
    /// Its file, without the ending.
    pub(super) module: String,
    /// Its page, without the prefix.
    pub(super) page: String,
    /// Its comment and its code.
    pub(super) text: String,
}

/// Exported functions, and what stands around them in their files.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) list: Vec<Entry>,
    pub(super) rest: String,
}

impl Entries {
    /// The hand-written ones.
    pub(super) fn read(root: &Path) -> Result<Entries> {
        let folder = root.join(FOLDER);
        let mut entries = Entries::default();
        for file in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = file?.path();
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let page = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if text.contains("#[unsafe(no_mangle)]") && !GENERATED.contains(&&*page) {
                entries.add(&text, &page, |_| page.clone());
            }
        }
        Ok(entries)
    }

    /// Adds the functions of a file.
    pub(super) fn add(&mut self, text: &str, module: &str, page: impl Fn(&str) -> String) {
        for item in text.split_inclusive("\n}\n") {
            let Some((before, function)) = item.split_once("#[unsafe(no_mangle)]") else {
                self.rest += item;
                continue;
            };
            let comment = before.lines().rev().take_while(|line| line.starts_with("///"));
            let length: usize = comment.map(|line| line.len() + 1).sum();
            let (rest, comment) = before.split_at(before.len() - length);
            let after = function.split_once(" fn subflows_").map_or("", |(_, after)| after);
            let name = after.split('(').next().unwrap_or_default().to_owned();
            self.rest += rest;
            let page = page(&name);
            self.list.push(Entry {
                module: module.to_owned(),
                page,
                name,
                text: format!("{comment}#[unsafe(no_mangle)]{function}"),
            });
        }
    }

    /// In the order in which `abi.txt` lists them. New ones come last.
    pub(super) fn sort(&mut self, abi: &Abi) {
        let place = |entry: &Entry| {
            abi.symbols().position(|symbol| symbol.strip_prefix("subflows_") == Some(&entry.name))
        };
        self.list.sort_by_cached_key(|entry| place(entry).unwrap_or(usize::MAX));
    }
}
