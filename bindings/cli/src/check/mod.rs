//! The check service: it shows each client what the server sees of its connection.
//!
//! One thread serves all clients, and answers each once. A client costs a descriptor and a few kilobytes, until
//! its deadline at the latest; if there are too many, the oldest is dropped, and those first that have not asked yet.

mod answer;
mod client;
mod request;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

pub(crate) use answer::Seen;
use client::{Client, Next};

/// How the service treats its clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How many are served at the same time.
    pub(crate) clients: usize,
    /// How long one may take, from its connection to the end of its answer.
    pub(crate) timeout: Duration,
    /// How long to wait for further subflows before the answer.
    pub(crate) wait: Duration,
}

/// How long not to accept when the process has no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves clients until `stop` becomes readable. Calls `answered` for each answer.
pub(crate) fn serve(
    listener: &TcpListener,
    stop: &impl AsFd,
    rules: Rules,
    mut answered: impl FnMut(&Seen) -> io::Result<()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut clients: Vec<Client> = Vec::new();
    let mut accepts_from = Instant::now();
    loop {
        let now = Instant::now();
        let is_accepting = now >= accepts_from;
        let mut fds = vec![PollFd::new(stop, PollFlags::IN)];
        let wanted = if is_accepting { PollFlags::IN } else { PollFlags::empty() };
        fds.push(PollFd::new(listener, wanted));
        fds.extend(clients.iter().map(|client| PollFd::new(&client.stream, client.wants())));
        let deadlines = clients.iter().map(Client::wakes_at);
        let wake = deadlines.chain((!is_accepting).then_some(accepts_from)).min();
        let time = wake.map(|wake| wake.saturating_duration_since(now));
        let time = time.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        match poll(&mut fds, time.as_ref()) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        if ready[0] {
            return Ok(());
        }
        let now = Instant::now();
        let mut events = ready[2..].iter();
        let mut outcome = Ok(());
        clients.retain_mut(|client| {
            let is_ready = events.next().copied().unwrap_or(false);
            match client.step(now, is_ready) {
                Next::Goes => true,
                Next::Answers(seen) => {
                    outcome =
                        std::mem::replace(&mut outcome, Ok(())).and_then(|()| answered(&seen));
                    true
                }
                Next::Ends => false,
            }
        });
        outcome?;
        if ready[1] && is_accepting {
            accepts_from = now + accept(listener, &mut clients, rules);
        }
    }
}

/// Accepts the clients that wait, and returns how long not to accept others.
fn accept(listener: &TcpListener, clients: &mut Vec<Client>, rules: Rules) -> Duration {
    for _ in 0..rules.clients {
        match listener.accept() {
            Ok((stream, _)) => {
                if clients.len() >= rules.clients {
                    // They are in the order in which they came.
                    clients.remove(clients.iter().position(Client::is_idle).unwrap_or(0));
                }
                clients.extend(begin(stream, rules));
            }
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => return PAUSE,
                // The client has left already, or no other waits.
                _ => return Duration::ZERO,
            },
        }
    }
    Duration::ZERO
}

fn begin(stream: TcpStream, rules: Rules) -> Option<Client> {
    stream.set_nonblocking(true).ok()?;
    Some(Client::new(stream, Instant::now(), rules))
}
