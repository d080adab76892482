//! The agent of Java's package, for the JVMs that `subflows run` starts. The library reaches their sockets without it; the
//! agent adds what is Java's own.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use subflows::ErrorKind;

use crate::failure::Failure;

/// The variable that names the jar.
const VARIABLE: &str = "SUBFLOWS_JAVA_AGENT";
/// The variable with options for each `java` of Java 9 and newer. `JAVA_TOOL_OPTIONS` would also reach Java 8, which ends
/// with an error then.
const OPTIONS: &str = "JDK_JAVA_OPTIONS";
/// Where `make install` puts the jar, as seen from the folder of the command.
const INSTALLED: &str = "../share/java/subflows.jar";
/// The word for no agent.
const NONE: &str = "no";
/// The first version of Java that the agent runs on, and the first that warns about native code unless that is enabled.
const OLDEST: u32 = 11;
const WARNS: u32 = 24;
const NATIVE_ACCESS: &str = "--enable-native-access=ALL-UNNAMED";

/// Gives the agent to a command that has no arguments yet: `java` gets it as an argument, and prints nothing about that.
/// Other programs get a variable for the JVMs that they start, if the user named the jar: each of these JVMs prints a note.
pub(crate) fn add(
    command: &mut Command,
    program: &Path,
    arguments: &[OsString],
    named: Option<&OsStr>,
) -> Result<(), Failure> {
    let named = named.map(OsStr::to_owned).or_else(|| env::var_os(VARIABLE));
    let named = named.filter(|name| !name.is_empty());
    if named.as_deref() == Some(OsStr::new(NONE)) {
        return Ok(());
    }
    let jar = match &named {
        Some(name) => checked(Path::new(name))?,
        None => match installed() {
            Some(jar) => jar,
            None => return Ok(()),
        },
    };
    let mut option = OsString::from("-javaagent:");
    option.push(&jar);
    match version(program) {
        Some(version) if version >= OLDEST => {
            command.arg(option);
            if version >= WARNS && !decides_about_native_code(arguments) {
                command.arg(NATIVE_ACCESS);
            }
        }
        Some(_) => {}
        None if named.is_some() => {
            let mut options = OsString::from("\"");
            options.push(option);
            options.push("\"");
            if let Some(before) = env::var_os(OPTIONS).filter(|before| !before.is_empty()) {
                options.push(" ");
                options.push(before);
            }
            command.env(OPTIONS, options);
        }
        None => {}
    }
    Ok(())
}

/// The jar that the user named.
fn checked(name: &Path) -> Result<PathBuf, Failure> {
    let jar = fs::canonicalize(name).ok().filter(|jar| jar.is_file());
    let Some(jar) = jar else {
        let text = format!("--java-agent: {} is not a file", name.display());
        return Err(Failure::new(ErrorKind::InvalidArgument, text)
            .remedy("Name the jar of Java's package, which bindings/java/package builds, or use --java-agent no."));
    };
    // The JVM takes the first for the start of the agent's options, and the launcher the others for ends of words.
    if jar.as_os_str().as_bytes().iter().any(|byte| b"=\"\n".contains(byte)) {
        let text =
            format!("--java-agent: the path {} contains =, \" or a line break", jar.display());
        return Err(Failure::new(ErrorKind::InvalidArgument, text)
            .remedy("Copy the jar to another folder, and name it there."));
    }
    Ok(jar)
}

fn installed() -> Option<PathBuf> {
    let command = env::current_exe().and_then(fs::canonicalize).ok()?;
    checked(&command.parent()?.join(INSTALLED)).ok()
}

/// Whether the user has decided about native code, so that the agent must not.
fn decides_about_native_code(arguments: &[OsString]) -> bool {
    let is_about = |text: &OsStr| text.to_string_lossy().contains("native-access");
    arguments.iter().any(|argument| is_about(argument))
        || env::var_os(OPTIONS).is_some_and(|options| is_about(&options))
}

/// The version of Java whose command `java` this is, from the file that is in each JDK and each image of jlink's. `None`
/// for other programs.
fn version(program: &Path) -> Option<u32> {
    let program = fs::canonicalize(program).ok()?;
    if program.file_name()? != "java" {
        return None;
    }
    let release = fs::read_to_string(program.parent()?.parent()?.join("release")).ok()?;
    release.lines().find_map(|line| {
        let version = line.strip_prefix("JAVA_VERSION=")?.trim_matches('"');
        // Java 8 is 1.8.
        version.split(|digit: char| !digit.is_ascii_digit()).next()?.parse().ok()
    })
}
