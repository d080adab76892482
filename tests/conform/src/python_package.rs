//! The Python package as it is built for tests, and the interpreter that loads it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::language::{built, output};

/// The interpreter that `PYTHON` names, or `python3`. If that is a script, the interpreter that it
/// starts.
pub fn interpreter() -> Result<PathBuf, String> {
    let program = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let printed = output(Command::new(program).args(["-c", "import sys; print(sys.executable)"]))?;
    Ok(PathBuf::from(printed.trim_end()))
}

/// Builds the native part, and returns the folder for `PYTHONPATH` with it and the sources.
pub fn module(root: &Path) -> Result<PathBuf, String> {
    let native = built(root, "subflows-python", "lib_native.so")?;
    let folder = native.with_file_name("python");
    let package = folder.join("subflows");
    fs::create_dir_all(&package).map_err(|error| format!("{}: {error}", package.display()))?;
    let sources = root.join("bindings/python/python/subflows");
    let files =
        fs::read_dir(&sources).map_err(|error| format!("{}: {error}", sources.display()))?;
    let files = files.flatten().map(|file| file.path());
    // Links, because another test may have loaded these files.
    for source in files.filter(|path| path.extension().is_some_and(|ending| ending == "py")) {
        link(&source, &package.join(source.file_name().unwrap_or_default()))?;
    }
    link(&native, &package.join("_native.abi3.so"))?;
    Ok(folder)
}

/// Makes a symbolic link, unless another test has made it.
fn link(target: &Path, path: &Path) -> Result<(), String> {
    let at_path = |error| format!("{}: {error}", path.display());
    match symlink(target.canonicalize().map_err(at_path)?, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(at_path(error)),
        _ => Ok(()),
    }
}
