//! The files of `bindings/c/src` that export functions: each is a section of the header and a
//! manual page.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::abi::Abi;

const FOLDER: &str = "bindings/c/src";

/// A file that exports functions.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Source {
    /// The noun of the file, which is its name.
    pub(super) fn noun(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether the file exports this function.
    pub(super) fn exports(&self, function: &str) -> bool {
        let declared = |abi| self.text.contains(&format!("extern \"{abi}\" fn {function}("));
        ["C", "C-unwind"].into_iter().any(declared)
    }
}

/// All of them, in the order in which `abi.txt` lists their functions. A file whose functions are
/// not in `abi.txt` yet is new, and comes last.
pub(super) fn sources(root: &Path, abi: &Abi) -> Result<Vec<Source>> {
    let folder = root.join(FOLDER);
    let mut sources = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        if text.contains("#[unsafe(no_mangle)]") {
            sources.push(Source { path, text });
        }
    }
    let place = |source: &Source| abi.symbols().position(|symbol| source.exports(symbol));
    sources.sort_by_cached_key(|source| (place(source).unwrap_or(usize::MAX), source.noun()));
    Ok(sources)
}
