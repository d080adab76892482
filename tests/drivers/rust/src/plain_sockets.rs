//! The language's own sockets, without the library.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage};

use crate::answer::{Answer, Fault, Fields};
use crate::request::Request;
use crate::transfer::{self, Transfer, Transferred};

/// What every driver does by the sockets of its language.
pub(crate) const VERBS: &[&str] = &[
    "plain.socket",
    "plain.take_fd",
    "plain.bind",
    "plain.connect",
    "plain.listen",
    "plain.accept",
    "plain.send",
    "plain.receive",
    "plain.start_sending",
    "plain.stop_sending",
    "plain.start_receiving",
    "plain.finish_receiving",
    "plain.shutdown",
    "plain.close",
    "plain.setsockopt",
    "plain.getsockopt",
];

/// The sockets of a driver, by the names that the runner gives them.
#[derive(Debug, Default)]
pub struct PlainSockets {
    sockets: HashMap<String, OwnedFd>,
    sending: HashMap<String, Transfer>,
    receiving: HashMap<String, Transfer>,
}

impl PlainSockets {
    /// Keeps a socket under the name that the request gives it, and returns its ends.
    pub fn keep(&mut self, request: &Request, sock: impl Into<OwnedFd>) -> Answer {
        let sock = sock.into();
        let mut fields = Fields::new();
        if let Ok(local) = ends(&sock, socket::getsockname::<SockaddrStorage>) {
            fields.add("local", local);
        }
        if let Ok(remote) = ends(&sock, socket::getpeername::<SockaddrStorage>) {
            fields.add("remote", remote);
        }
        self.sockets.insert(request.text("name")?.to_owned(), sock);
        Ok(fields)
    }

    /// The socket that the request names.
    pub fn of(&self, request: &Request) -> Result<&OwnedFd, Fault> {
        let name = request.text("sock")?;
        self.sockets
            .get(name)
            .ok_or_else(|| Fault::protocol(format!("no socket has the name {name}")))
    }

    fn copy(&self, request: &Request) -> Result<OwnedFd, Fault> {
        Ok(self.of(request)?.try_clone()?)
    }

    pub(crate) fn perform(&mut self, request: &Request) -> Answer {
        let done = Ok(Fields::new());
        match request.verb() {
            "plain.socket" => {
                let family = match request.text("family")? {
                    "v4" => AddressFamily::Inet,
                    _ => AddressFamily::Inet6,
                };
                let flags = SockFlag::SOCK_CLOEXEC;
                self.keep(request, socket::socket(family, SockType::Stream, flags, None)?)
            }
            "plain.take_fd" => self.keep(request, inherited(request.value("fd")?)?),
            "plain.bind" => {
                let to = SockaddrStorage::from(request.value::<SocketAddr>("to")?);
                let sock = self.of(request)?;
                socket::bind(sock.as_raw_fd(), &to)?;
                Ok(Fields::new().with("local", ends(sock, socket::getsockname)?))
            }
            "plain.connect" => self.connect(request),
            "plain.listen" => {
                socket::listen(self.of(request)?, Backlog::new(128)?)?;
                done
            }
            "plain.accept" => {
                let listener = TcpListener::from(self.copy(request)?);
                transfer::wait(&listener, PollFlags::POLLIN)?;
                self.keep(request, listener.accept()?.0)
            }
            "plain.send" => {
                let wanted: u64 = request.value("bytes")?;
                Ok(fields(transfer::send(self.of(request)?, |sent| wanted - sent)?))
            }
            "plain.receive" => {
                let wanted = request.value("bytes")?;
                Ok(fields(transfer::receive(self.of(request)?, wanted)?))
            }
            "plain.shutdown" => {
                let how = match request.text("how")? {
                    "write" => Shutdown::Write,
                    _ => Shutdown::Read,
                };
                TcpStream::from(self.copy(request)?).shutdown(how)?;
                done
            }
            "plain.close" => {
                self.sockets.remove(request.text("name")?);
                done
            }
            "plain.setsockopt" | "plain.getsockopt" => option(self.of(request)?, request),
            _ => self.transfer(request),
        }
    }

    /// Starts or ends a transfer in the background.
    fn transfer(&mut self, request: &Request) -> Answer {
        let name = request.text("sock")?.to_owned();
        let sock = self.copy(request)?;
        let transferred = match request.verb() {
            "plain.start_sending" => {
                self.sending.insert(name, Transfer::start_sending(sock));
                return Ok(Fields::new());
            }
            "plain.start_receiving" => {
                self.receiving.insert(name, Transfer::start_receiving(sock));
                return Ok(Fields::new());
            }
            "plain.stop_sending" => {
                let sent = end(self.sending.remove(&name))?;
                TcpStream::from(sock).shutdown(Shutdown::Write)?;
                sent
            }
            _ => end(self.receiving.remove(&name))?,
        };
        Ok(fields(transferred))
    }

    fn connect(&self, request: &Request) -> Answer {
        let to = SockaddrStorage::from(request.value::<SocketAddr>("to")?);
        let sock = self.of(request)?;
        let is_waiting = request.maybe("wait")?.unwrap_or(true);
        let stream = TcpStream::from(sock.try_clone()?);
        stream.set_nonblocking(!is_waiting)?;
        let result = socket::connect(sock.as_raw_fd(), &to);
        stream.set_nonblocking(false)?;
        match result {
            Err(Errno::EINPROGRESS) if !is_waiting => Ok(Fields::new()),
            result => {
                result?;
                let local = ends(sock, socket::getsockname)?;
                Ok(Fields::new()
                    .with("local", local)
                    .with("remote", ends(sock, socket::getpeername)?))
            }
        }
    }
}

fn end(transfer: Option<Transfer>) -> Result<Transferred, Fault> {
    let missing = || Fault::protocol("no transfer was started on this socket");
    Ok(transfer.ok_or_else(missing)?.end()?)
}

fn fields(Transferred { bytes, crc32 }: Transferred) -> Fields {
    Fields::new().with("bytes", bytes).with("crc32", crc32)
}

/// One end of a socket, by getsockname(2) or getpeername(2).
fn ends(
    sock: &OwnedFd,
    ask: impl Fn(RawFd) -> nix::Result<SockaddrStorage>,
) -> nix::Result<SocketAddr> {
    let address = ask(sock.as_raw_fd())?;
    if let Some(v4) = address.as_sockaddr_in() {
        return Ok(SocketAddr::from(std::net::SocketAddrV4::from(*v4)));
    }
    let v6 = address.as_sockaddr_in6().ok_or(Errno::EAFNOSUPPORT)?;
    Ok(SocketAddr::from(std::net::SocketAddrV6::from(*v6)))
}

/// A duplicate of a descriptor that this process inherited.
fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: this process inherited the descriptor from the runner and does not close it.
    let inherited = unsafe { BorrowedFd::borrow_raw(fd) };
    inherited.try_clone_to_owned()
}

/// Sets or reads an option that is an integer.
fn option(sock: &OwnedFd, request: &Request) -> Answer {
    let (level, option) = (request.value("level")?, request.value("option")?);
    let mut value: libc::c_int = request.maybe("value")?.unwrap_or(0);
    let mut length = size_of_val(&value) as libc::socklen_t;
    let place = (&raw mut value).cast::<libc::c_void>();
    let fd = sock.as_raw_fd();
    let result = if request.verb() == "plain.setsockopt" {
        // SAFETY: place points to an int, length is its size, and the kernel only reads it.
        unsafe { libc::setsockopt(fd, level, option, place, length) }
    } else {
        // SAFETY: place points to an int, and length is its size.
        unsafe { libc::getsockopt(fd, level, option, place, &raw mut length) }
    };
    match result {
        0 => Ok(Fields::new().with("value", value)),
        _ => Err(io::Error::last_os_error().into()),
    }
}
