//! What the generator writes, and how it tells what is stale.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file that is derived, with its path from the root of the repository.
pub struct Output {
    path: PathBuf,
    text: String,
}

impl Output {
    /// A file of that text.
    pub fn new(path: impl Into<PathBuf>, text: String) -> Output {
        Output { path: path.into(), text }
    }

    /// Where it belongs, from the root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file under `root` says something else.
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
