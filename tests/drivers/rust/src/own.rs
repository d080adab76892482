//! Sockets by the language's own means, and what can be done with them without any library.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, pipe};

use crate::answer::{Answer, Fault, Fields};
use crate::flow::{self, Carried, Flow};
use crate::request::Request;

/// What every language does by its own means.
pub(crate) const VERBS: &[&str] = &[
    "tcp",
    "bind",
    "dial",
    "hear",
    "accept",
    "send",
    "receive",
    "pour",
    "poured",
    "drain",
    "drained",
    "shutdown",
    "drop",
    "adopt",
    "set_option",
    "get_option",
    "fork",
    "remedy",
];

/// The sockets of a driver, by the names that the runner gave them.
#[derive(Debug, Default)]
pub struct Sockets {
    sockets: HashMap<String, OwnedFd>,
    poured: HashMap<String, Flow>,
    drained: HashMap<String, Flow>,
}

impl Sockets {
    /// Keeps a socket under the name that the request gives it; tells its ends, where it has some.
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

    /// The socket that the request is about.
    pub fn of(&self, request: &Request) -> Result<&OwnedFd, Fault> {
        let name = request.text("sock")?;
        self.sockets.get(name).ok_or_else(|| Fault::protocol(format!("no socket is called {name}")))
    }

    fn copy(&self, request: &Request) -> Result<OwnedFd, Fault> {
        Ok(self.of(request)?.try_clone()?)
    }

    pub(crate) fn perform(&mut self, request: &Request) -> Answer {
        let done = Ok(Fields::new());
        match request.verb() {
            "tcp" => {
                let family = match request.text("family")? {
                    "v4" => AddressFamily::Inet,
                    _ => AddressFamily::Inet6,
                };
                let flags = SockFlag::SOCK_CLOEXEC;
                self.keep(request, socket::socket(family, SockType::Stream, flags, None)?)
            }
            "adopt" => self.keep(request, inherited(request.value("fd")?)?),
            "bind" => {
                let to = SockaddrStorage::from(request.value::<SocketAddr>("to")?);
                let sock = self.of(request)?;
                socket::bind(sock.as_raw_fd(), &to)?;
                Ok(Fields::new().with("local", ends(sock, socket::getsockname)?))
            }
            "dial" => self.dial(request),
            "hear" => {
                socket::listen(self.of(request)?, Backlog::new(128)?)?;
                done
            }
            "accept" => {
                let listener = TcpListener::from(self.copy(request)?);
                flow::wait(&listener, PollFlags::POLLIN)?;
                self.keep(request, listener.accept()?.0)
            }
            "send" => {
                let wanted: u64 = request.value("bytes")?;
                Ok(told(flow::pour(self.of(request)?, |sent| wanted - sent)?))
            }
            "receive" => {
                let wanted = request.value("bytes")?;
                let carried = flow::drain(self.of(request)?, wanted)?;
                Ok(told(carried))
            }
            "shutdown" => {
                let how = match request.text("how")? {
                    "write" => Shutdown::Write,
                    _ => Shutdown::Read,
                };
                TcpStream::from(self.copy(request)?).shutdown(how)?;
                done
            }
            "drop" => {
                self.sockets.remove(request.text("name")?);
                done
            }
            "set_option" | "get_option" => option(self.of(request)?, request),
            _ => self.flow(request),
        }
    }

    /// What goes on in the background.
    fn flow(&mut self, request: &Request) -> Answer {
        let name = request.text("sock")?.to_owned();
        let sock = self.copy(request)?;
        let carried = match request.verb() {
            "pour" => {
                self.poured.insert(name, Flow::pour(sock));
                return Ok(Fields::new());
            }
            "drain" => {
                self.drained.insert(name, Flow::drain(sock));
                return Ok(Fields::new());
            }
            "poured" => {
                let carried = ended(self.poured.remove(&name))?;
                TcpStream::from(sock).shutdown(Shutdown::Write)?;
                carried
            }
            _ => ended(self.drained.remove(&name))?,
        };
        Ok(told(carried))
    }

    fn dial(&self, request: &Request) -> Answer {
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

fn ended(flow: Option<Flow>) -> Result<Carried, Fault> {
    Ok(flow.ok_or_else(|| Fault::protocol("nothing was begun"))?.end()?)
}

fn told(carried: Carried) -> Fields {
    Fields::new().with("bytes", carried.bytes).with("crc32", carried.crc32)
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

/// A socket that this process was started with.
fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the runner gave this process the descriptor, and nothing here closes it.
    let given = unsafe { BorrowedFd::borrow_raw(fd) };
    given.try_clone_to_owned()
}

/// Reads or writes an option of the socket that is a number.
fn option(sock: &OwnedFd, request: &Request) -> Answer {
    let (level, option) = (request.value("level")?, request.value("option")?);
    let mut value: libc::c_int = request.maybe("value")?.unwrap_or(0);
    let mut length = size_of_val(&value) as libc::socklen_t;
    let place = (&raw mut value).cast::<libc::c_void>();
    let fd = sock.as_raw_fd();
    let result = if request.verb() == "set_option" {
        // SAFETY: place is that of an int, as the length says, and the kernel only reads it.
        unsafe { libc::setsockopt(fd, level, option, place, length) }
    } else {
        // SAFETY: place is that of an int, and length tells the kernel how much room there is.
        unsafe { libc::getsockopt(fd, level, option, place, &raw mut length) }
    };
    match result {
        0 => Ok(Fields::new().with("value", value)),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// Calls it in a child of this process, and gives what the child got.
pub(crate) fn in_child(f: impl FnOnce() -> String) -> Result<String, Fault> {
    let (ours, theirs) = pipe()?;
    // SAFETY: the C library's locks work in the child of a process with threads, and the child runs
    // nothing of the parent's but `f`.
    match unsafe { fork() }? {
        ForkResult::Child => {
            drop(ours);
            let answer = f();
            let _ = File::from(theirs).write_all(answer.as_bytes());
            // SAFETY: nothing of this process is used after this.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            let mut answer = String::new();
            File::from(ours).read_to_string(&mut answer)?;
            waitpid(child, None)?;
            Ok(answer)
        }
    }
}
