//! A generated file, and whether the one in the repository is stale.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A generated file, with its path from the root of the repository.
pub struct Output {
    path: PathBuf,
    text: String,
}

impl Output {
    /// A file with that text.
    pub fn new(path: impl Into<PathBuf>, text: String) -> Output {
        Output { path: path.into(), text }
    }

    /// Its path from the root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file under `root` has another text.
    pub fn is_stale(&self, root: &Path) -> bool {
        fs::read_to_string(root.join(&self.path)).ok().as_deref() != Some(&self.text)
    }

    /// Writes it, if it is stale.
    pub fn write(&self, root: &Path) -> Result<()> {
        if !self.is_stale(root) {
            return Ok(());
        }
        let path = root.join(&self.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, &self.text).with_context(|| format!("cannot write {}", path.display()))
    }
}
