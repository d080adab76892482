//! What the broker counts, as Prometheus text over HTTP: on a Unix socket, or on a loopback address.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use nix::sys::stat::Mode;
use subflows::ErrorKind;
use subflows::broker::{Verb, restored};

use crate::Failure;

/// The counts since the broker started.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    requests: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    pub(crate) throttled: AtomicU64,
    pub(crate) refused: AtomicU64,
    workers: Arc<AtomicUsize>,
}

impl Counts {
    /// Counts from now on, with that number of workers.
    pub(crate) fn new(workers: Arc<AtomicUsize>) -> Counts {
        Counts { workers, ..Counts::default() }
    }

    /// Counts a request. `verb` is `None` if it was not a request of the protocol.
    pub(crate) fn request(&self, verb: Option<Verb>, result: Result<(), ErrorKind>) {
        let verb = verb.map_or("none", Verb::name);
        let result = result.map_or_else(|kind| kind.name(), |()| "ok");
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((verb, result)).or_default() += 1;
    }

    /// The counts in the text format of Prometheus.
    fn text(&self) -> String {
        const PREFIX: &str = "subflows_broker";
        let mut out = String::new();
        let head = |out: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(out, "# HELP {PREFIX}_{name} {help}");
            let _ = writeln!(out, "# TYPE {PREFIX}_{name} {kind}");
        };
        head(&mut out, "requests_total", "counter", "Requests by verb and result.");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for ((verb, result), count) in requests.iter() {
            let labels = format!("verb=\"{verb}\",result=\"{result}\"");
            let _ = writeln!(out, "{PREFIX}_requests_total{{{labels}}} {count}");
        }
        drop(requests);
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let workers = self.workers.load(Ordering::Relaxed) as u64;
        for (name, kind, help, value) in [
            ("workers", "gauge", "Sessions that have a worker now.", workers),
            (
                "throttled_total",
                "counter",
                "Requests and sessions that waited or were refused because the user made too many.",
                load(&self.throttled),
            ),
            (
                "refused_sessions_total",
                "counter",
                "Sessions that got no worker.",
                load(&self.refused),
            ),
            (
                "restored_total",
                "counter",
                "Times that net.mptcp.path_manager was set back for a process that was killed.",
                restored(),
            ),
        ] {
            head(&mut out, name, kind, help);
            let _ = writeln!(out, "{PREFIX}_{name} {value}");
        }
        out
    }
}

/// Where the counts can be read.
#[derive(Debug)]
pub(crate) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A connection of one reader.
trait Stream: Read + Write {
    fn bound(&self, time: Duration) -> io::Result<()>;
}

macro_rules! stream {
    ($($type:ty)*) => { $(
        impl Stream for $type {
            fn bound(&self, time: Duration) -> io::Result<()> {
                self.set_read_timeout(Some(time))?;
                self.set_write_timeout(Some(time))
            }
        }
    )* };
}

stream!(std::os::unix::net::UnixStream std::net::TcpStream);

/// Opens the socket: a path, which contains a slash, or an address and a port.
pub(crate) fn open(place: &str) -> Result<Listener, Failure> {
    let failed = |error: String| {
        Failure::new(
            format!("--metrics: {place} cannot be listened on ({error})"),
            "Pass the path of a socket, or an address such as 127.0.0.1:9400.",
        )
    };
    if place.contains('/') {
        return open_unix(Path::new(place)).map(Listener::Unix).map_err(|e| failed(e.to_string()));
    }
    let address: SocketAddr =
        place.parse().map_err(|_| failed("not a path and not ADDRESS:PORT".to_owned()))?;
    if !address.ip().is_loopback() {
        return Err(failed("not a loopback address".to_owned()));
    }
    TcpListener::bind(address).map(Listener::Tcp).map_err(|error| failed(error.to_string()))
}

fn open_unix(path: &Path) -> io::Result<UnixListener> {
    // A socket that a broker has left which was killed. Another file is the administrator's.
    if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let bind = || Ok(UnixListener::bind(path));
    crate::listener::with_owner(Mode::empty(), None, bind).map_err(io::Error::from)?
}

/// How long one reader may take, so that it does not keep out the next for longer.
const PATIENCE: Duration = Duration::from_secs(1);
const STACK: usize = 64 * 1024;

/// Answers readers, in a thread of its own.
pub(crate) fn serve(listener: Listener, counts: Arc<Counts>) -> Result<(), Failure> {
    let serve = move || loop {
        let accepted: io::Result<Box<dyn Stream>> = match &listener {
            Listener::Unix(listener) => listener.accept().map(|(stream, _)| Box::new(stream) as _),
            Listener::Tcp(listener) => listener.accept().map(|(stream, _)| Box::new(stream) as _),
        };
        match accepted {
            // A reader that has gone misses the answer.
            Ok(mut stream) => drop(answer(&mut *stream, &counts)),
            // Without a descriptor, the next attempt would fail as well.
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    let started = Builder::new().name("metrics".into()).stack_size(STACK).spawn(serve);
    started.map(drop).map_err(|error| {
        Failure::new(format!("--metrics: no thread ({error})"), "Raise the limit of threads.")
    })
}

/// Reads the head of a request of HTTP, whatever it asks for, and answers with the counts.
fn answer(stream: &mut dyn Stream, counts: &Counts) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let (mut head, mut length) = ([0; 4096], 0);
    while !head[..length].windows(4).any(|end| end == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || length == head.len() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.bound(left)?;
        match stream.read(&mut head[length..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => length += read,
        }
    }
    let text = counts.text();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        text.len()
    );
    stream.bound(PATIENCE)?;
    stream.write_all(&[head, text].concat().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_each_verb_and_result() {
        let counts = Counts::default();
        counts.request(Some(Verb::Create), Ok(()));
        counts.request(Some(Verb::Create), Ok(()));
        counts.request(None, Err(ErrorKind::InvalidArgument));
        let text = counts.text();
        let line = "subflows_broker_requests_total{verb=\"create\",result=\"ok\"} 2\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("{verb=\"none\",result=\"InvalidArgument\"} 1\n"), "{text}");
        assert!(text.contains("# TYPE subflows_broker_workers gauge\nsubflows_broker_workers 0\n"));
    }

    #[test]
    fn only_loopback_is_listened_on() {
        assert!(open("192.0.2.1:9400").is_err() && open("9400").is_err());
        assert!(open("127.0.0.1:0").is_ok() && open("[::1]:0").is_ok());
    }
}
