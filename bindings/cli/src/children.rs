//! Commands that run in a lab: the one that decides when it is over, and a server beside it.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a server may take to end when it is asked to.
const FAREWELL: Duration = Duration::from_secs(2);

/// Runs a command to its end.
///
/// Meanwhile this process survives what the terminal sends to both (Ctrl-C), and passes on what is
/// sent to itself alone, so that the network lives exactly as long as the command.
pub(crate) fn run(command: &mut Command) -> io::Result<ExitStatus> {
    // Before the child is there, so that its end cannot be missed. Handlers, unlike ignored
    // signals, are not inherited by what the child executes.
    let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    let mut child = command.spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        for signal in signals.wait() {
            let passed_on = match signal {
                SIGHUP => Signal::HUP,
                SIGTERM => Signal::TERM,
                _ => continue,
            };
            // Not reaped yet, so the number is still the child's.
            let _ = kill_process(Pid::from_child(&child), passed_on);
        }
    }
}

/// The number with which a shell reports how a command ended.
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// A process that runs beside the command. Dropping it ends it, and what it has started.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
}

impl Server {
    /// Starts it as the leader of a process group. It reads nothing, and prints where errors go.
    pub(crate) fn start(command: &mut Command) -> io::Result<Server> {
        let command = command.stdin(Stdio::null()).stdout(io::stderr()).process_group(0);
        Ok(Server { child: command.spawn()? })
    }

    /// Waits until `is_ready` holds, and tells whether it does; not longer than the server lives.
    pub(crate) fn wait_until(
        &mut self,
        patience: Duration,
        mut is_ready: impl FnMut() -> bool,
    ) -> io::Result<bool> {
        const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
        let deadline = Instant::now() + patience;
        while !is_ready() {
            if Instant::now() >= deadline || self.wait(BETWEEN_LOOKS)?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for its end, at most so long.
    fn wait(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
        // A signal ends the wait early, which does no harm.
        let _ = poll(&mut fds, Some(&timeout));
        self.child.try_wait()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        if let Ok(None) = self.child.try_wait() {
            let _ = kill_process_group(group, Signal::TERM);
            let deadline = Instant::now() + FAREWELL;
            while Instant::now() < deadline && matches!(self.wait(FAREWELL), Ok(None)) {}
            if let Ok(None) = self.child.try_wait() {
                let _ = kill_process_group(group, Signal::KILL);
                let _ = self.child.wait();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use subflows_lab::wait_until;

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
    fn a_server_that_does_not_listen_to_reason_is_ended() {
        let server = Server::start(&mut shell("trap '' TERM; while :; do sleep 1; done")).unwrap();
        let pid = Pid::from_child(&server.child);
        drop(server);
        // The last of them is gone once init has taken note of its end.
        wait_until(FAREWELL, "the end of the whole group", || {
            kill_process_group(pid, Signal::CONT).is_err()
        });
    }
}
