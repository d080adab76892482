//! Runs the system's network tools and turns their error messages into errors.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The folders of administrators' tools. Ordinary users often lack these in their PATH.
const ADMINISTRATORS_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Finds a program as the shell would, and then in the administrators' folders. Returns its path, so that
/// starting it does not search again.
pub(crate) fn find(program: &OsStr) -> OsString {
    if program.as_encoded_bytes().contains(&b'/') {
        return program.to_owned();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(ADMINISTRATORS_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .map_or_else(|| program.to_owned(), PathBuf::into_os_string)
}

/// Runs a command to its end with `input` on its standard input, and returns what it printed.
pub(crate) fn run(command: &mut Command, input: &str) -> io::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| cannot_start(&name, &error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // If the child exits without reading its input, its own message is the better error.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let arguments = command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    let complaint = String::from_utf8_lossy(&output.stderr);
    let mut text = format!("`{name} {arguments}` failed ({}): {}", output.status, complaint.trim());
    if !input.is_empty() {
        text.push_str("\nits input was:\n");
        text.push_str(input);
    }
    Err(io::Error::other(text))
}

fn cannot_start(name: &str, error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
        // A search through folders that this process may not read ends with PermissionDenied.
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
            ". Install it: package iproute2 or nftables"
        }
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot start `{name}`: {error}{remedy}"))
}
