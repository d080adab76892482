//! Standard input and output, joined to a connection, as netcat does it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use subflows::Error;

use crate::extra_paths::{Paths, Via};
use crate::holders::Holders;
use crate::output::note;

/// How much is read at once, and how much waits to be written.
const ROOM: usize = 64 << 10;
/// A pipe takes as much without blocking if it is writable at all (PIPE_BUF).
const AT_ONCE: usize = 4096;
/// The longest wait while a path waits for the connection to be ready.
const EARLY: Duration = Duration::from_millis(20);
/// How often to look whether the connection is still in use, and the longest wait.
const LOOK: Duration = Duration::from_millis(100);

/// Bytes on their way in one direction.
#[derive(Default)]
struct Way {
    bytes: Vec<u8>,
    /// How many of them are written.
    written: usize,
    /// The source has ended.
    is_over: bool,
}

impl Way {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether more can be read: all that was read before is written.
    fn wants(&self) -> bool {
        self.is_empty() && !self.is_over
    }

    fn fill(&mut self, mut read: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
        let mut room = vec![0; ROOM];
        if let Some(length) = unless_blocked(read(&mut room))? {
            room.truncate(length);
            self.is_over = length == 0;
            self.bytes = room;
        }
        Ok(())
    }

    fn drain(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        if let Some(length) = unless_blocked(write(&self.bytes[self.written..]))? {
            self.written += length;
        }
        if self.written == self.bytes.len() {
            (self.bytes, self.written) = (Vec::new(), 0);
        }
        Ok(())
    }
}

fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error)
            if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()) =>
        {
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// Copies standard input to the connection and the connection to standard output, until both have ended. The end of
/// each is passed on: that of standard input to the peer, and that of the peer to standard output. It opens
/// the paths at the same time.
pub(crate) fn run(sock: &Arc<TcpStream>, paths: &mut Paths) -> io::Result<()> {
    sock.set_nonblocking(true)?;
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let (mut up, mut down) = (Way::default(), Way::default());
    let (mut is_half_closed, mut is_output_closed) = (false, false);
    loop {
        paths.advance(report);
        if up.is_over && up.is_empty() && !is_half_closed {
            is_half_closed = true;
            // If the peer has closed since, its reset or end is read below.
            let _ = sock.shutdown(Shutdown::Write);
        }
        if down.is_over && down.is_empty() {
            if up.is_over && up.is_empty() {
                return Ok(());
            }
            if !is_output_closed {
                // The reader sees the end, and may end standard input in turn.
                is_output_closed = true;
                rustix::stdio::dup2_stdout(std::fs::File::open("/dev/null")?)?;
            }
        }
        let sends = if up.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        let receives = if down.wants() { PollFlags::IN } else { PollFlags::empty() };
        let reads = if up.wants() { PollFlags::IN } else { PollFlags::empty() };
        let writes = if down.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
        let asked =
            [(sock.as_fd(), sends | receives), (stdin.as_fd(), reads), (stdout.as_fd(), writes)];
        let ready = wait(asked, paths)?;
        let is_ready = |index: usize, flags: PollFlags| {
            ready[index].intersects(flags | PollFlags::HUP | PollFlags::ERR)
        };
        if !sends.is_empty() && is_ready(0, sends) {
            up.drain(|bytes| (&**sock).write(bytes))?;
        }
        if !receives.is_empty() && is_ready(0, receives) {
            down.fill(|room| (&**sock).read(room))?;
        }
        if !reads.is_empty() && is_ready(1, reads) {
            up.fill(|room| Ok(rustix::io::read(&stdin, room)?))?;
        }
        if !writes.is_empty() && is_ready(2, writes) {
            down.drain(|bytes| {
                Ok(rustix::io::write(&stdout, &bytes[..bytes.len().min(AT_ONCE)])?)
            })?;
        }
    }
}

/// Opens the paths, as long as another process has the connection.
pub(crate) fn open_all(paths: &mut Paths, holders: &mut Holders) -> io::Result<()> {
    let mut look_at = Instant::now() + LOOK;
    loop {
        paths.advance(report);
        if Instant::now() >= look_at {
            look_at = Instant::now() + LOOK;
            if !holders.has_any() {
                return Ok(());
            }
        }
        if paths.is_done() {
            return Ok(());
        }
        wait([], paths)?;
    }
}

fn report(via: &Via, error: &Error) {
    note(format_args!("no path by {}: {error}", via.name()));
}

/// Waits until one of these is ready or a path can go on. Returns what is ready.
fn wait<const N: usize>(
    asked: [(BorrowedFd<'_>, PollFlags); N],
    paths: &mut Paths,
) -> io::Result<[PollFlags; N]> {
    let early = paths.is_early().then(|| Instant::now() + EARLY);
    // Without anything to copy, the connection is another process's.
    let look = (N == 0).then(|| Instant::now() + LOOK);
    let deadline = [early, look, paths.deadline()].into_iter().flatten().min();
    let opened = paths.fds();
    let mut entries: Vec<_> = asked
        .into_iter()
        // Without flags, an end would be reported that is not waited for.
        .map(|(fd, flags)| (fd, flags, !flags.is_empty()))
        .filter(|(.., is_asked)| *is_asked)
        .map(|(fd, flags, _)| PollFd::from_borrowed_fd(fd, flags))
        .collect();
    let count = entries.len();
    entries.extend(opened.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let left = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
    match poll(&mut entries, left.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut answers = entries[..count].iter().map(PollFd::revents);
    Ok(asked.map(|(_, flags)| {
        if flags.is_empty() {
            PollFlags::empty()
        } else {
            answers.next().unwrap_or(PollFlags::empty())
        }
    }))
}
