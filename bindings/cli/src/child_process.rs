//! The processes of a lab: the command that the lab lives as long as, and its server.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use signal_hook::consts::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::Signals;

/// How long a server may take to end when it is asked to.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// As of env(1) and timeout(1): the command failed, COMMAND cannot be executed, COMMAND does not exist.
pub(crate) const FAILED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
pub(crate) const NOT_FOUND: u8 = 127;

/// The exit status if a program could not be started.
pub(crate) fn not_started(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        io::ErrorKind::PermissionDenied => NOT_EXECUTABLE,
        _ => FAILED,
    }
}

/// Runs a command to its end.
///
/// In the meantime this process survives the signals that the terminal sends to both (Ctrl-C), and
/// forwards those that are sent to it alone, so that the network exists exactly as long as the
/// command.
pub(crate) fn run(command: &mut Command) -> io::Result<ExitStatus> {
    // Before the child starts, so that its end cannot be missed. The program that the child
    // executes does not inherit handlers; it would inherit ignored signals.
    let mut signals = Signals::new([
        SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT,
    ])?;
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        for signal in signals.wait() {
            let forwarded = match signal {
                SIGHUP => Signal::HUP,
                SIGTERM => Signal::TERM,
                SIGUSR1 => Signal::USR1,
                SIGUSR2 => Signal::USR2,
                SIGWINCH => Signal::WINCH,
                SIGCONT => Signal::CONT,
                _ => continue,
            };
            // The child is not reaped yet, so its process id is still its own.
            let _ = kill_process(Pid::from_child(&child), forwarded);
        }
    }
}

/// The number with which a shell reports how a command ended.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// A process that runs together with the command. Dropping it ends the process and its children.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Starts it as the leader of a process group, without input, and with its output on standard
    /// error.
    pub(crate) fn start(command: &mut Command) -> io::Result<Server> {
        let command = command.stdin(Stdio::null()).stdout(io::stderr()).process_group(0);
        Ok(Server { child: command.spawn()? })
    }

    /// Waits until `is_ready` holds or the server has ended, and returns whether it holds.
    pub(crate) fn wait_until(
        &mut self,
        patience: Duration,
        mut is_ready: impl FnMut() -> bool,
    ) -> io::Result<bool> {
        const POLL_INTERVAL: Duration = Duration::from_millis(10);
        let deadline = Instant::now() + patience;
        while !is_ready() {
            if Instant::now() >= deadline || self.wait(POLL_INTERVAL)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for the end of the server, for at most `timeout`.
    fn wait(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
        // A signal ends the wait early, which is harmless.
        let _ = poll(&mut fds, Some(&timeout));
        self.child.try_wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(group, Signal::TERM);
            let deadline = Instant::now() + END_TIMEOUT;
            while Instant::now() < deadline && matches!(self.wait(END_TIMEOUT), Ok(None)) {}
            if let Ok(None) = self.child.try_wait() {
                let _ = kill_process_group(group, Signal::KILL);
                let _ = self.child.wait();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", text]);
        command
    }

    #[test]
    fn an_end_is_reported_as_a_shell_does() {
        assert_eq!(exit_code(run(&mut shell("exit 7")).unwrap()), 7);
        assert_eq!(exit_code(run(&mut shell("kill -TERM $$")).unwrap()), 128 + 15);
    }

    #[test]
    fn a_server_that_ends_is_not_waited_for() {
        let mut server = Server::start(&mut shell("exit 3")).unwrap();
        let start = Instant::now();
        assert!(!server.wait_until(Duration::from_secs(60), || false).unwrap());
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_server_that_ignores_sigterm_is_killed() {
        // The server and its child hold the pipe's writing end until they have ended. Whether init
        // has reaped the child would be another question, and init may take its time.
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RWXU;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let ignoring = r#"trap '' TERM; exec 3>"$0"; while :; do sleep 1; done"#;
        let server = Server::start(shell(ignoring).arg(&pipe)).unwrap();
        // Opened as soon as the server has opened its end, after it ignores the signal.
        let mut pipe = std::fs::File::open(&pipe).unwrap();
        drop(server);
        let fds = &mut [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
        let timeout = Timespec::try_from(Duration::from_secs(30)).unwrap();
        assert_eq!(poll(fds, Some(&timeout)).unwrap(), 1, "a process of the group lives on");
        assert_eq!(std::io::Read::read(&mut pipe, &mut [0]).unwrap(), 0);
    }
}
