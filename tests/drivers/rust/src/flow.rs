//! Data that go on in the background while the runner asks for other things.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crc32fast::Hasher;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};

/// What is sent, again and again: a prime number of bytes, so that nothing that went astray fits.
const BLOCK: usize = 65_521;
/// Nothing waits longer than this for progress.
const PATIENCE_MS: u16 = 15_000;

/// How much went through, and the checksum of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried {
    pub(crate) bytes: u64,
    pub(crate) crc32: u32,
}

/// Data on their way in one direction.
#[derive(Debug)]
pub(crate) struct Flow {
    is_ending: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Carried>>,
}

impl Flow {
    /// Sends until it is told to end.
    pub(crate) fn pour(sock: OwnedFd) -> Flow {
        let is_ending = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_ending);
        let left = move |_| if told.load(Ordering::SeqCst) { 0 } else { u64::MAX };
        Flow { is_ending, thread: thread::spawn(move || pour(&sock, left)) }
    }

    /// Receives until there is no more.
    pub(crate) fn drain(sock: OwnedFd) -> Flow {
        Flow { is_ending: Arc::default(), thread: thread::spawn(move || drain(&sock, u64::MAX)) }
    }

    pub(crate) fn end(self) -> io::Result<Carried> {
        self.is_ending.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    }
}

pub(crate) fn wait(sock: &impl AsFd, for_what: PollFlags) -> io::Result<()> {
    let mut entry = [PollFd::new(sock.as_fd(), for_what)];
    match poll(&mut entry, PollTimeout::from(PATIENCE_MS))? {
        0 => Err(io::Error::from(Errno::ETIMEDOUT)),
        _ => Ok(()),
    }
}

/// Sends block after block, until none is left to be sent after so many bytes.
pub(crate) fn pour(sock: &OwnedFd, left: impl Fn(u64) -> u64) -> io::Result<Carried> {
    let block: Vec<u8> = (0..BLOCK).map(|place| (place * 7 + (place >> 8)) as u8).collect();
    let mut hasher = Hasher::new();
    let mut bytes = 0;
    while left(bytes) > 0 {
        let rest = &block[(bytes % BLOCK as u64) as usize..];
        let rest = &rest[..left(bytes).clamp(1, rest.len() as u64) as usize];
        match send(sock.as_raw_fd(), rest, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            Ok(length) => {
                hasher.update(&rest[..length]);
                bytes += length as u64;
            }
            Err(Errno::EAGAIN) => wait(sock, PollFlags::POLLOUT)?,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Carried { bytes, crc32: hasher.finalize() })
}

/// Receives so much, or everything.
pub(crate) fn drain(sock: &OwnedFd, wanted: u64) -> io::Result<Carried> {
    let mut chunk = vec![0; BLOCK];
    let mut hasher = Hasher::new();
    let mut bytes = 0;
    while bytes < wanted {
        let room = (wanted - bytes).min(BLOCK as u64) as usize;
        match recv(sock.as_raw_fd(), &mut chunk[..room], MsgFlags::MSG_DONTWAIT) {
            Ok(0) => break,
            Ok(length) => {
                hasher.update(&chunk[..length]);
                bytes += length as u64;
            }
            Err(Errno::EAGAIN) => wait(sock, PollFlags::POLLIN)?,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Carried { bytes, crc32: hasher.finalize() })
}
