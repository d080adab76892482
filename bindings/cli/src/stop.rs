//! Ending when the user or the system asks for it, in verbs that have something to undo.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::low_level::pipe;

/// The signals that end a program, as a descriptor. From its creation on they no longer end the process.
#[derive(Debug)]
pub(crate) struct Stop {
    reader: UnixStream,
}

impl Stop {
    pub(crate) fn new() -> io::Result<Stop> {
        let (reader, writer) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(Stop { reader })
    }

    /// Waits until one of the signals has come, one of the descriptors is readable, or the time is over. Returns
    /// whether a signal has come.
    pub(crate) fn wait(&self, others: &[BorrowedFd<'_>], time: Duration) -> io::Result<bool> {
        readable(&[&[self.as_fd()][..], others].concat(), time).map(|found| found[0])
    }
}

impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

/// Whether the other end of a terminal, a pipe or a connection is gone. Does not wait.
pub(crate) fn has_hung_up(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut polled = [PollFd::new(&fd, PollFlags::empty())];
    poll(&mut polled, Some(&Timespec::default()))?;
    Ok(polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR))
}

/// Waits until the other end of a terminal, a pipe or a connection is gone.
pub(crate) fn await_hang_up(fd: BorrowedFd<'_>) -> io::Result<()> {
    let mut polled = [PollFd::new(&fd, PollFlags::empty())];
    loop {
        match poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => {}
            ended => return ended.map(drop).map_err(io::Error::from),
        }
    }
}

/// Waits until one of the descriptors is readable or the time is over, and returns which are.
pub(crate) fn readable(fds: &[BorrowedFd<'_>], time: Duration) -> io::Result<Vec<bool>> {
    let deadline = Instant::now() + time;
    let mut polled: Vec<_> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut polled, Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            other => {
                other?;
                return Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect());
            }
        }
    }
}
