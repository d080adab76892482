//! The data: made on the server, discarded on the client, with a checksum on both.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sha2::{Digest, Sha256};
use subflows_lab::Random;

/// A transfer that makes no progress for this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const CHUNK: usize = 256 << 10;
/// The data is divided into this many parts, and the last part is sent only after all steps:
/// whatever the size and the machine, no step comes too late.
const HELD_BACK: u64 = 20;

/// The server's end: sends the data to the first client that connects.
pub(super) struct Source {
    pub(super) address: SocketAddr,
    release: Sender<()>,
    thread: JoinHandle<io::Result<String>>,
}

impl Source {
    pub(super) fn start(listener: TcpListener, bytes: u64) -> io::Result<Source> {
        let address = listener.local_addr()?;
        let (release, released) = mpsc::channel();
        let serve = move || {
            let (stream, _) = listener.accept()?;
            send(stream, bytes, &released)
        };
        let thread = thread::Builder::new().name("source".to_owned()).spawn(serve)?;
        Ok(Source { address, release, thread })
    }

    /// Allows the last part of the data to be sent.
    pub(super) fn release(&self) {
        // If the thread has ended, it has failed, and `checksum` returns the reason.
        let _ = self.release.send(());
    }

    /// The checksum of what was sent. Call it when everything has arrived.
    pub(super) fn checksum(self) -> io::Result<String> {
        let ended = || Err(io::Error::other("the server's thread panicked"));
        self.thread.join().unwrap_or_else(|_| ended())
    }
}

fn send(mut stream: TcpStream, bytes: u64, released: &Receiver<()>) -> io::Result<String> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut random, mut sum) = (Random::new(0), Sha256::new());
    let mut chunk = vec![0; CHUNK];
    let mut send_part = |mut left: u64| -> io::Result<()> {
        while left > 0 {
            let len = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
            random.fill(&mut chunk[..len]);
            sum.update(&chunk[..len]);
            stream.write_all(&chunk[..len])?;
            left -= len as u64;
        }
        Ok(())
    };
    let last = bytes / HELD_BACK;
    send_part(bytes - last)?;
    released.recv().map_err(|_| io::Error::other("the demonstration was abandoned"))?;
    send_part(last)?;
    stream.shutdown(Shutdown::Write)?;
    Ok(hexadecimal(&sum.finalize()))
}

/// The client's end: reads the data on a thread of its own.
pub(super) struct Sink {
    received: Arc<AtomicU64>,
    end: Receiver<io::Result<String>>,
}

impl Sink {
    pub(super) fn start(mut stream: TcpStream) -> io::Result<Sink> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let received = Arc::new(AtomicU64::new(0));
        let (sender, end) = mpsc::channel();
        let counter = Arc::clone(&received);
        let read = move || {
            // If the receiver is gone, the result is not needed any more.
            let _ = sender.send(receive(&mut stream, &counter));
        };
        thread::Builder::new().name("sink".to_owned()).spawn(read)?;
        Ok(Sink { received, end })
    }

    /// How many bytes have arrived.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Waits for the end of the data, for at most that long, and returns its checksum.
    pub(super) fn wait(&self, timeout: Duration) -> Option<io::Result<String>> {
        self.end.recv_timeout(timeout).ok()
    }
}

fn receive(stream: &mut TcpStream, counter: &AtomicU64) -> io::Result<String> {
    let mut sum = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(hexadecimal(&sum.finalize())),
            Ok(len) => {
                sum.update(&chunk[..len]);
                counter.fetch_add(len as u64, Ordering::Relaxed);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let text = format!("no data has arrived for {} s", PATIENCE.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Err(error) => return Err(error),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_have_the_same_checksum() {
        subflows_lab::skip_unless_ready!();
        // The loopback interface of the tests' namespace may be down.
        let namespace = subflows_lab::Namespace::new().unwrap();
        let _entered = namespace.enter().unwrap();
        let bytes = 3 * CHUNK as u64 + 5;
        let source = Source::start(TcpListener::bind("127.0.0.1:0").unwrap(), bytes).unwrap();
        let sink = Sink::start(TcpStream::connect(source.address).unwrap()).unwrap();
        assert!(sink.wait(Duration::from_millis(20)).is_none(), "the last part was sent too early");
        source.release();
        let received = sink.wait(PATIENCE).unwrap().unwrap();
        assert_eq!(sink.received(), bytes);
        assert_eq!(source.checksum().unwrap(), received);
        assert_eq!(received.len(), 64);
    }
}
