//! Servers and clients that transfer known bytes, over sockets made by hand.
//!
//! The bytes are the same in every run, so that both ends can check that they arrive intact.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::namespace::Namespace;
use crate::pattern::{CHUNK, pattern};
use crate::sys::socket::{self, Protocol};
use crate::sys::wait;

/// A transfer without progress for this long has failed: nothing here waits forever.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server does with a connection.
#[derive(Clone, Copy, Debug)]
enum Service {
    /// Sends this many bytes for each byte that it receives.
    Source(u64),
    /// Receives everything, then reports how many bytes arrived, and how many of them were intact.
    Sink,
    /// Sends back what it receives.
    Echo,
}

/// An MPTCP server on threads of this process. Dropping it closes its connections and ends them.
#[derive(Debug)]
pub struct Server {
    local: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    /// Readable when the server must end. It is never reset, so that every thread sees it.
    bell: EventFd,
    accepted: Mutex<Vec<TcpStream>>,
}

/// Serves bytes: sends `bytes` bytes for each byte that a client sends ([`fetch`]). Port 0 lets the
/// kernel choose.
pub fn serve_source(ns: &Namespace, address: SocketAddr, bytes: u64) -> io::Result<Server> {
    Server::start(ns, address, Service::Source(bytes))
}

/// Receives bytes and reports at the end what has arrived ([`push`]). Port 0 lets the kernel choose.
pub fn serve_sink(ns: &Namespace, address: SocketAddr) -> io::Result<Server> {
    Server::start(ns, address, Service::Sink)
}

/// Sends back what it receives, until the client closes. Port 0 lets the kernel choose.
pub fn serve_echo(ns: &Namespace, address: SocketAddr) -> io::Result<Server> {
    Server::start(ns, address, Service::Echo)
}

impl Server {
    /// The address on which it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The connections that it has accepted so far, for inspection: reading from one takes bytes
    /// away from the server. They stay open until the server is dropped.
    pub fn accepted(&self) -> io::Result<Vec<TcpStream>> {
        self.shared.accepted().iter().map(TcpStream::try_clone).collect()
    }

    fn start(ns: &Namespace, address: SocketAddr, service: Service) -> io::Result<Server> {
        let listener = {
            let _entered = ns.enter()?;
            listen(address)?
        };
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?;
        let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let shared = Arc::new(Shared { bell, accepted: Mutex::default() });
        let state = Arc::clone(&shared);
        let serve = move || state.serve(&listener, service);
        let thread = thread::Builder::new().name("server".to_owned()).spawn(serve)?;
        Ok(Server { local, shared, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The bell cannot be full: this is its only use.
        let _ = self.shared.bell.write(1);
        if let Some(thread) = self.thread.take() {
            // The thread of a server does not panic.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn accepted(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts connections and serves each on a separate thread, until the server must end.
    fn serve(&self, listener: &TcpListener, service: Service) {
        thread::scope(|scope| {
            while let Ok([_, false]) = wait::readable([listener.as_fd(), self.bell.as_fd()], None) {
                // A client may have closed the connection already.
                let Ok((stream, _)) = listener.accept() else { continue };
                let Ok(kept) = stream.try_clone() else { continue };
                self.accepted().push(kept);
                scope.spawn(move || {
                    // The client notices a broken connection.
                    let _ = service.run(&stream);
                    let _ = stream.shutdown(Shutdown::Write);
                });
            }
            for stream in self.accepted().iter() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }
}

impl Service {
    fn run(self, mut stream: &TcpStream) -> io::Result<()> {
        match self {
            Service::Source(bytes) => {
                while stream.read(&mut [0])? == 1 {
                    send_pattern(stream, bytes)?;
                }
                Ok(())
            }
            Service::Sink => {
                let mut seen = Seen::default();
                let mut chunk = vec![0; CHUNK];
                loop {
                    match stream.read(&mut chunk)? {
                        0 => break,
                        len => seen.take(&chunk[..len]),
                    }
                }
                stream.write_all(&seen.bytes.to_be_bytes())?;
                stream.write_all(&seen.intact.to_be_bytes())
            }
            Service::Echo => {
                let mut chunk = vec![0; CHUNK];
                loop {
                    match stream.read(&mut chunk)? {
                        0 => return Ok(()),
                        len => stream.write_all(&chunk[..len])?,
                    }
                }
            }
        }
    }
}

/// How a client connects. Sockets are MPTCP by default.
#[derive(Clone, Debug, Default)]
pub struct Connect {
    local: Option<IpAddr>,
    interface: Option<String>,
    timeout: Option<Duration>,
    is_plain_tcp: bool,
}

impl Connect {
    /// From an address of the kernel's choice, within 30 s.
    pub fn new() -> Connect {
        Connect::default()
    }

    /// From this address.
    pub fn local(mut self, address: impl Into<IpAddr>) -> Connect {
        self.local = Some(address.into());
        self
    }

    /// Through this interface only.
    pub fn interface(mut self, name: &str) -> Connect {
        self.interface = Some(name.to_owned());
        self
    }

    /// Within this time; the error is `WouldBlock`, or its text contains "in progress".
    pub fn timeout(mut self, timeout: Duration) -> Connect {
        self.timeout = Some(timeout);
        self
    }

    /// Without MPTCP.
    pub fn plain_tcp(mut self) -> Connect {
        self.is_plain_tcp = true;
        self
    }

    /// Connects, in the calling thread's namespace. Reads and writes of the stream fail after 30 s
    /// without progress.
    pub fn to(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let protocol = if self.is_plain_tcp { Protocol::Tcp } else { Protocol::Mptcp };
        let fd = socket::stream(address, protocol)?;
        if let Some(interface) = &self.interface {
            socket::bind_to_device(&fd, interface)?;
        }
        if let Some(local) = self.local {
            socket::bind(&fd, SocketAddr::new(local, 0))?;
        }
        socket::set_send_timeout(&fd, self.timeout.unwrap_or(PATIENCE))?;
        socket::connect(&fd, address)?;
        let stream = TcpStream::from(fd);
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }
}

/// Connects with MPTCP, in the calling thread's namespace.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    Connect::new().to(address)
}

/// Whether the connection is MPTCP now, according to the kernel (`TCP_IS_MPTCP`, Linux 6.9).
pub fn is_mptcp(socket: &impl AsFd) -> io::Result<bool> {
    socket::is_mptcp(socket)
}

/// Requests the bytes of a source and compares each. `bytes` is the number for which the source was
/// made.
pub fn fetch(mut stream: &TcpStream, bytes: u64) -> io::Result<()> {
    stream.write_all(&[1])?;
    let mut seen = Seen::default();
    let mut chunk = vec![0; CHUNK];
    while seen.bytes < bytes {
        let wanted = usize::try_from(bytes - seen.bytes).unwrap_or(CHUNK).min(CHUNK);
        match stream.read(&mut chunk[..wanted]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => seen.take(&chunk[..len]),
            // A process that was stopped continues with this, if the socket has a timeout.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    seen.verdict(bytes)
}

/// Sends `bytes` bytes to a sink, shuts down this direction, and checks the sink's report.
pub fn push(mut stream: &TcpStream, bytes: u64) -> io::Result<()> {
    send_pattern(stream, bytes)?;
    stream.shutdown(Shutdown::Write)?;
    let mut number = [0; 8];
    stream.read_exact(&mut number)?;
    let mut seen = Seen { bytes: u64::from_be_bytes(number), intact: 0 };
    stream.read_exact(&mut number)?;
    seen.intact = u64::from_be_bytes(number);
    seen.verdict(bytes)
}

/// What has arrived, and how much of it before the first wrong byte.
#[derive(Debug, Default)]
struct Seen {
    bytes: u64,
    intact: u64,
}

impl Seen {
    fn take(&mut self, chunk: &[u8]) {
        if self.intact == self.bytes {
            let expected = pattern(self.bytes, chunk.len());
            let right = if chunk == expected {
                chunk.len()
            } else {
                chunk.iter().zip(expected).take_while(|(a, b)| a == b).count()
            };
            self.intact += right as u64;
        }
        self.bytes += chunk.len() as u64;
    }

    fn verdict(&self, expected: u64) -> io::Result<()> {
        let Seen { bytes, intact } = *self;
        if bytes == expected && intact == expected {
            return Ok(());
        }
        let text = format!("{bytes} of {expected} bytes arrived, the first {intact} intact");
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let fd = socket::stream(address, Protocol::Mptcp)?;
    socket::set_int(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    socket::bind(&fd, address)?;
    socket::listen(&fd, 128)?;
    Ok(TcpListener::from(fd))
}

fn send_pattern(mut stream: &TcpStream, bytes: u64) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes {
        let chunk = pattern(sent, usize::try_from(bytes - sent).unwrap_or(CHUNK));
        stream.write_all(chunk)?;
        sent += chunk.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_bytes_are_found() {
        let mut seen = Seen::default();
        let mut chunk = pattern(0, 100).to_vec();
        seen.take(&chunk[..33]);
        assert!(seen.verdict(33).is_ok());
        assert!(seen.verdict(34).is_err());
        chunk[60] ^= 1;
        seen.take(&chunk[33..]);
        assert_eq!((seen.bytes, seen.intact), (100, 60));
        seen.take(&[0; 5]);
        assert_eq!(seen.verdict(105).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
