//! The client's end of a session with the broker.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::protocol::{Act, Answer, LONGEST, Malformed, Request};
use crate::sys::cache::{Cached, Places};
use crate::sys::netlink::NetlinkError;
use crate::sys::{poll, unix, without};

/// How long to wait for the broker. Its longest act, options of a subflow, takes at most 5 s.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often, and for how long, to send a descriptor again that the kernel did not send.
const AGAIN: Duration = Duration::from_millis(10);
const CROWDED: Duration = Duration::from_secs(2);
const VARIABLE: &str = "SUBFLOWS_BROKER";
const USUAL: &str = "/run/subflows/broker.sock";

/// Returns the path of the broker's socket, or `None` if the program must not use a broker.
pub(super) fn path() -> Option<PathBuf> {
    match without::variable(VARIABLE) {
        None => Some(USUAL.into()),
        Some(path) if path.is_empty() || path == "none" => None,
        Some(path) => Some(path.into()),
    }
}

/// A session. The library keeps it for further requests.
#[derive(Debug)]
pub(crate) struct Session {
    sock: OwnedFd,
    path: PathBuf,
}

impl Session {
    /// Opens a session with the broker at that path.
    pub(super) fn open(path: &Path) -> io::Result<Session> {
        Ok(Session { sock: unix::connect_to(path, PATIENCE)?, path: path.to_owned() })
    }

    /// Reports whether the session is with the broker at that path.
    pub(super) fn is_with(&self, path: &Path) -> bool {
        self.path == path
    }

    /// Sends a request and waits for the answer.
    pub(super) fn ask(
        &self,
        act: Act,
        sock: Option<BorrowedFd<'_>>,
    ) -> io::Result<(Answer, Option<OwnedFd>)> {
        self.ask_meanwhile(act, sock, &mut || ())
    }

    /// Sends a request. As long as the user has more descriptors in unread messages than RLIMIT_NOFILE, the kernel
    /// sends no other (unix_attach_fds in net/unix/scm.c): that ends when their receivers read, or end.
    fn send(&self, request: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let deadline = poll::deadline_in(CROWDED);
        loop {
            match unix::send(self.sock.as_fd(), request, fd, 0) {
                Err(error) if error.raw_os_error() == Some(libc::ETOOMANYREFS) => {
                    let next = Instant::now() + AGAIN;
                    if next > deadline {
                        return Err(error);
                    }
                    // No descriptor reports it. The end of the session ends the wait.
                    match poll::until(self.sock.as_fd(), 0, Some(next)) {
                        Ok(0) => {}
                        Ok(_) => return Err(io::ErrorKind::BrokenPipe.into()),
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                sent => return sent,
            }
        }
    }

    /// Sends a request, does something while the broker acts, and waits for the answer.
    pub(super) fn ask_meanwhile(
        &self,
        act: Act,
        sock: Option<BorrowedFd<'_>>,
        meanwhile: &mut dyn FnMut(),
    ) -> io::Result<(Answer, Option<OwnedFd>)> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let request = Request { number, act }.encode();
        let sent = self.send(&request, sock);
        if sent.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ETOOMANYREFS)) {
            return Err(io::Error::from_raw_os_error(libc::ETOOMANYREFS));
        }
        meanwhile();
        let mut buffer = [0; LONGEST];
        // A broker that has no worker answers before it has read a request, and ends the session. The kernel first
        // reports, once, that the request was not read (unix_release_sock in net/unix/af_unix.c).
        let mut received = unix::receive(self.sock.as_fd(), &mut buffer);
        if received.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset) {
            received = unix::receive(self.sock.as_fd(), &mut buffer);
        }
        let mut packet = match (received, sent) {
            (Ok(packet), _) if packet.length > 0 => packet,
            (_, Err(error)) | (Err(error), _) => return Err(error),
            (Ok(_), Ok(())) => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let bytes = buffer.get(..packet.length).ok_or(io::ErrorKind::InvalidData)?;
        let answer = Answer::parse(bytes).map_err(|malformed| match malformed {
            Malformed::Version(_) => io::Error::from(io::ErrorKind::Unsupported),
            Malformed::Message => io::ErrorKind::InvalidData.into(),
        })?;
        if answer.number != number && answer.number != 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok((answer, packet.fds.pop()))
    }
}

impl AsFd for Session {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sock.as_fd()
    }
}

impl Cached for Session {
    fn open() -> Result<Self, NetlinkError> {
        let path = path().ok_or_else(|| NetlinkError::new(libc::ENOENT))?;
        Ok(Session::open(&path)?)
    }
    fn places() -> &'static Places<Self> {
        static PLACES: Places<Session> = Places::new();
        &PLACES
    }
}

#[cfg(test)]
mod tests {
    use super::super::perform::{ServerSession, refusal, reply};
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn an_answer_is_read_though_the_request_was_not() {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
        let kind = SockType::SeqPacket;
        let pair = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let (session, broker) = (Session { sock: pair.0, path: PathBuf::new() }, pair.1);
        let mut broker = Some(ServerSession::new(broker));
        let busy = || Err(refusal(ErrorKind::Busy, libc::EBUSY, "", ""));
        let mut refuse = || {
            let broker = broker.take().unwrap();
            broker.answer(&reply(0, busy()).0, None).unwrap();
        };
        let act = Act::PathManager { token: 1 };
        let (answer, _) = session.ask_meanwhile(act, None, &mut refuse).unwrap();
        assert_eq!(answer.result.unwrap_err().kind, ErrorKind::Busy);
        // Nothing follows it.
        let error = session.ask(Act::PathManager { token: 1 }, None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
