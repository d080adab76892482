//! The process of the agent: started before the program, it ends with the last process that runs the library.
//!
//! `subflows run` becomes the program, which keeps its process id, its terminal and its signals. So the agent is a process
//! of its own, in a session of its own, and not a child of the program.
//!
//! It serves as long as the first process lives, and after that as long as another process runs the library, such as a
//! daemon that the first one has started. The library locks a file and maps it. The lock belongs to the mapping, so
//! fork(2) passes it on, closing descriptors does not release it, and the end of the process does. Between exec(3) and
//! the start of the library there is no mapping, which is what the grace period is for.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use rustix::process::{Pid, PidfdFlags, pidfd_open, setsid};
use subflows::ErrorKind;
use subflows_run::{LOCK, SOCKET};
use tempfile::TempDir;

use crate::agent;
use crate::extra_paths::Via;
use crate::failure::Failure;

/// How long no process may run the library before the agent ends.
const GRACE: Duration = Duration::from_secs(5);
const QUEUE: i32 = 128;
const PREFIX: &str = "subflows-run-";
/// Random letters and digits in the name of the folder, which only the program knows.
const NAME: usize = 24;

/// The word of the hidden option with which this command starts itself again.
const START: &str = "start";

/// Starts the agent for this process and its descendants: `options` are its paths. Returns the path of its socket.
pub(crate) fn start(options: &[&str]) -> Result<PathBuf, Failure> {
    let failed =
        |error| Failure::system("cannot start the process that acts for the program", &error);
    let place = env::temp_dir().join(format!("{PREFIX}{:NAME$}", "")).join(SOCKET);
    if SocketAddrUnix::new(&place).is_err() {
        let text = format!(
            "the path of the temporary folder is too long for a socket: {}",
            env::temp_dir().display()
        );
        return Err(Failure::new(ErrorKind::InvalidArgument, text)
            .remedy("Set TMPDIR to a folder with a shorter path."));
    }
    let this = std::process::id().to_string();
    let mut child = itself(START, &this, options).map_err(failed)?;
    let mut child = child.stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut path = Vec::new();
    // It ends at once, and leaves its output to the agent, which closes it once it has written the path.
    child.wait().map_err(failed)?;
    child.stdout.take().map_or(Ok(0), |mut out| out.read_to_end(&mut path)).map_err(failed)?;
    if path.is_empty() {
        return Err(Failure::new(
            ErrorKind::Os,
            "the process that acts for the program has failed",
        )
        .remedy("See its message above."));
    }
    Ok(PathBuf::from(std::ffi::OsString::from_vec(path)))
}

/// This command as the agent for a process.
fn itself(word: &str, process: &str, options: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["run", "--agent", word, "--of", process]).args(options).stdin(Stdio::null());
    // Of another `subflows run`, which has started this one: the agent's own sockets are not the program's.
    command.env_remove("LD_PRELOAD");
    Ok(command)
}

/// What this command does as the agent, by the word after `--agent`.
pub(crate) fn run(
    word: &str,
    process: i32,
    wanted: Vec<Via>,
    options: &[&str],
) -> Result<(), Failure> {
    let failed =
        |error: io::Error| Failure::system("cannot make the socket for the program", &error);
    if word == START {
        // The agent must not be a child of the program, which may wait for all of its children.
        return itself("serve", &process.to_string(), options)
            .and_then(|mut command| command.spawn().map(drop))
            .map_err(failed);
    }
    let first = Pid::from_raw(process).ok_or_else(|| io::ErrorKind::InvalidInput.into());
    let first =
        first.and_then(|first| Ok(pidfd_open(first, PidfdFlags::empty())?)).map_err(failed)?;
    // Signals that a terminal sends are meant for the program.
    setsid().map_err(|error| failed(error.into()))?;
    let (folder, lock, listener) = made().map_err(failed)?;
    io::stdout().write_all(folder.path().join(SOCKET).as_os_str().as_encoded_bytes())?;
    io::stdout().flush()?;
    // Otherwise, what reads the output of the program waits for this process to end.
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null).map_err(|error| failed(error.into()))?;
    rustix::stdio::dup2_stderr(&null).map_err(|error| failed(error.into()))?;
    let end = move || {
        wait_for_the_last(&first, &lock);
        drop(folder);
        std::process::exit(0)
    };
    thread::Builder::new().name("end".into()).spawn(end).map_err(failed)?;
    agent::serve(&listener, &wanted)
}

/// The folder, the file that is locked, and the socket.
///
/// A program that has changed its user still reaches both: their names are the secret. The name by which the socket is
/// bound, which every user may read in /proc/net/unix, is not that of the folder.
fn made() -> io::Result<(TempDir, File, OwnedFd)> {
    let folder = tempfile::Builder::new().prefix(PREFIX).rand_bytes(NAME).tempdir()?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
    env::set_current_dir(folder.path())?;
    let lock = File::create_new(LOCK)?;
    fs::set_permissions(LOCK, Permissions::from_mode(0o644))?;
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    let listener = socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    bind(&listener, &SocketAddrUnix::new(Path::new(SOCKET))?)?;
    fs::set_permissions(SOCKET, Permissions::from_mode(0o666))?;
    listen(&listener, QUEUE)?;
    env::set_current_dir("/")?;
    Ok((folder, lock, listener))
}

fn wait_for_the_last(first: &OwnedFd, lock: &File) {
    let mut ended = [PollFd::new(first, PollFlags::IN)];
    while poll(&mut ended, None).is_err() {}
    loop {
        // No process has it now; and none has it after a while.
        if flock(lock, FlockOperation::LockExclusive).is_err() {
            continue;
        }
        let _ = flock(lock, FlockOperation::Unlock);
        thread::sleep(GRACE);
        if flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return;
        }
    }
}
