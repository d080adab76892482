//! The waits of this library on a tokio runtime (feature `tokio`). No thread is started.
//!
//! ```no_run
//! use subflows::{Connect, Open};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> subflows::Result<()> {
//! let address = "192.0.2.1:443".parse().expect("an address");
//! let stream = subflows::tokio::connect(address, &Connect::new().control(true)).await?;
//! let extra = subflows::tokio::open(&stream, &Open::new().interface("wwan0")).await?;
//! println!("{}", extra.local);
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};

use crate::error::{Error, Result};
use crate::shared::subflow::Subflow;
use crate::sys::poll;
use crate::sys::reactor::watch;
use crate::verb::doctor::{Doctor, Examining, Finding};
use crate::verb::listen::Listen;
use crate::wait::connecting::{Connect, Connecting};
use crate::wait::events::{Event, Events};
use crate::wait::opening::{Open, Opening};
use crate::wait::probing::{Probe, ProbeReport, Probing};

/// Connects as [`crate::connect`] does, to one address.
///
/// With control, the calling thread waits for other processes that take control at the same time, at most
/// one second.
///
/// # Errors
/// As [`crate::connect`].
pub async fn connect(address: SocketAddr, options: &Connect) -> Result<TcpStream> {
    const OPERATION: &str = "connect";
    let mut connecting = Connecting::begin(&[address], options)?;
    while !connecting.advance()? {
        ready(connecting.fd(), Interest::WRITABLE, connecting.deadline(), OPERATION).await?;
    }
    let stream = connecting.finish()?;
    stream.set_nonblocking(true).map_err(|error| Error::from_io(OPERATION, &error))?;
    TcpStream::from_std(stream).map_err(|error| Error::from_io(OPERATION, &error))
}

/// Listens as [`crate::listen`] does, on one address.
///
/// # Errors
/// As [`crate::listen`].
pub fn listen(address: SocketAddr, options: &Listen) -> Result<TcpListener> {
    let listener = crate::listen(address, options)?;
    listener.set_nonblocking(true).map_err(|error| Error::from_io("listen", &error))?;
    TcpListener::from_std(listener).map_err(|error| Error::from_io("listen", &error))
}

/// Opens a subflow as [`crate::open`] does. If the future is dropped before it ends, the half-open
/// subflow is closed.
///
/// # Errors
/// As [`crate::open`].
pub async fn open(sock: &impl AsFd, options: &Open) -> Result<Subflow> {
    let mut opening = Opening::begin(sock, options)?;
    loop {
        if let Some(subflow) = opening.advance()? {
            return Ok(subflow);
        }
        let deadline = opening.deadline();
        ready(opening.fd()?, Interest::READABLE, Some(deadline), "open").await?;
    }
}

/// Finds out what an address offers, as [`crate::probe`] does. If the future is dropped before it ends, its
/// connections are closed.
///
/// # Errors
/// As [`crate::probe`].
pub async fn probe(address: SocketAddr, options: &Probe) -> Result<ProbeReport> {
    let mut probing = Probing::begin(address, options)?;
    loop {
        if let Some(report) = probing.advance()? {
            return Ok(report);
        }
        ready(probing.fd(), Interest::READABLE, Some(probing.deadline()), "probe").await?;
    }
}

/// Finds out why there is no second subflow, or why TCP, as [`crate::doctor`] does. If the future is dropped before
/// it ends, its connections are closed.
///
/// # Errors
/// As [`crate::doctor`].
pub async fn doctor(options: &Doctor) -> Result<Vec<Finding>> {
    let mut examining = Examining::begin(options)?;
    loop {
        if let Some(found) = examining.advance()? {
            return Ok(found);
        }
        ready(examining.fd(), Interest::READABLE, Some(examining.deadline()), "doctor").await?;
    }
}

/// Returns the next event of a stream, as [`Events::next`] does; `None` when the timeout expires.
///
/// # Errors
/// As [`Events::next`].
pub async fn next_event(
    events: &mut Events,
    timeout: impl Into<Option<Duration>>,
) -> Result<Option<Event>> {
    let deadline = timeout.into().map(poll::deadline_in);
    loop {
        if let Some(event) = events.try_next()? {
            return Ok(Some(event));
        }
        if !ready(events.fd(), Interest::READABLE, deadline, "events").await? {
            return Ok(None);
        }
    }
}

/// Waits for a descriptor, at most until the deadline, at which it returns false.
async fn ready(
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
    operation: &'static str,
) -> Result<bool> {
    let os = |error: io::Error| Error::from_io(operation, &error);
    let watched = watch(fd, interest).map_err(os)?;
    let ready = watched.ready(interest);
    let Some(deadline) = deadline else { return ready.await.map(|_| true).map_err(os) };
    match tokio::time::timeout_at(deadline.into(), ready).await {
        Ok(ready) => ready.map(|_| true).map_err(os),
        Err(_) => Ok(false),
    }
}
