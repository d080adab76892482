//! Sends and receives data, also in the background while the driver answers other requests.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crc32fast::Hasher;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{self, MsgFlags};

/// The size of the block that is sent repeatedly: prime, so that misplaced data changes the
/// checksum.
const BLOCK: usize = 65_521;
/// The longest wait for progress.
const PATIENCE_MS: u16 = 15_000;

/// How many bytes were transferred, and their checksum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Transferred {
    pub(crate) bytes: u64,
    pub(crate) crc32: u32,
}

/// Data in one direction, in the background.
#[derive(Debug)]
pub(crate) struct Transfer {
    is_ending: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Transferred>>,
}

impl Transfer {
    /// Sends until `end` is called.
    pub(crate) fn start_sending(sock: OwnedFd) -> Transfer {
        let is_ending = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&is_ending);
        let left = move |_| if is_over.load(Ordering::SeqCst) { 0 } else { u64::MAX };
        Transfer { is_ending, thread: thread::spawn(move || send(&sock, left)) }
    }

    /// Receives until the stream ends.
    pub(crate) fn start_receiving(sock: OwnedFd) -> Transfer {
        Transfer {
            is_ending: Arc::default(),
            thread: thread::spawn(move || receive(&sock, u64::MAX)),
        }
    }

    pub(crate) fn end(self) -> io::Result<Transferred> {
        self.is_ending.store(true, Ordering::SeqCst);
        self.thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    }
}

pub(crate) fn wait(sock: &impl AsFd, events: PollFlags) -> io::Result<()> {
    let mut entry = [PollFd::new(sock.as_fd(), events)];
    match poll(&mut entry, PollTimeout::from(PATIENCE_MS))? {
        0 => Err(io::Error::from(Errno::ETIMEDOUT)),
        _ => Ok(()),
    }
}

/// Sends until `left`, which is called with the number of bytes sent, returns 0.
pub(crate) fn send(sock: &OwnedFd, left: impl Fn(u64) -> u64) -> io::Result<Transferred> {
    let block: Vec<u8> = (0..BLOCK).map(|place| (place * 7 + (place >> 8)) as u8).collect();
    let mut hasher = Hasher::new();
    let mut bytes = 0;
    while left(bytes) > 0 {
        let rest = &block[(bytes % BLOCK as u64) as usize..];
        let rest = &rest[..left(bytes).clamp(1, rest.len() as u64) as usize];
        match socket::send(sock.as_raw_fd(), rest, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)
        {
            Ok(length) => {
                hasher.update(&rest[..length]);
                bytes += length as u64;
            }
            Err(Errno::EAGAIN) => wait(sock, PollFlags::POLLOUT)?,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Transferred { bytes, crc32: hasher.finalize() })
}

/// Receives `wanted` bytes, or fewer if the stream ends.
pub(crate) fn receive(sock: &OwnedFd, wanted: u64) -> io::Result<Transferred> {
    let mut chunk = vec![0; BLOCK];
    let mut hasher = Hasher::new();
    let mut bytes = 0;
    while bytes < wanted {
        let room = (wanted - bytes).min(BLOCK as u64) as usize;
        match socket::recv(sock.as_raw_fd(), &mut chunk[..room], MsgFlags::MSG_DONTWAIT) {
            Ok(0) => break,
            Ok(length) => {
                hasher.update(&chunk[..length]);
                bytes += length as u64;
            }
            Err(Errno::EAGAIN) => wait(sock, PollFlags::POLLIN)?,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Transferred { bytes, crc32: hasher.finalize() })
}
