//! A transfer that continues until it is ended. Every byte is compared.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use subflows_lab::{CHUNK, pattern, wait_until};

use super::SOON;

/// Data under way from one end to the other.
pub struct Transfer {
    shared: Arc<Shared>,
    sender: JoinHandle<io::Result<u64>>,
    receiver: JoinHandle<io::Result<u64>>,
}

#[derive(Default)]
struct Shared {
    is_ending: AtomicBool,
    received: AtomicU64,
    /// Why an end failed, as soon as it does.
    trouble: Mutex<Option<String>>,
}

impl Transfer {
    /// Sends `at_least` bytes, and goes on until [`finish`](Self::finish) is called.
    pub fn start(from: &TcpStream, to: &TcpStream, at_least: u64) -> Transfer {
        let shared = Arc::new(Shared::default());
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let state = Arc::clone(&shared);
        let sender = thread::spawn(move || state.watch("sender", state.send(&from, at_least)));
        let state = Arc::clone(&shared);
        let receiver = thread::spawn(move || state.watch("receiver", state.receive(&to)));
        Transfer { shared, sender, receiver }
    }

    /// How much has arrived intact.
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::SeqCst)
    }

    /// Waits until that much more has arrived.
    #[track_caller]
    pub fn wait_for(&self, bytes: u64) {
        let before = self.received();
        wait_until(SOON, "data to arrive", || {
            self.check();
            self.received() >= before + bytes
        });
    }

    /// Checks that neither end has failed.
    #[track_caller]
    pub fn check(&self) {
        assert_eq!(*self.shared.trouble.lock().unwrap(), None);
    }

    /// Ends the sender. Returns the number of bytes; all of them were received.
    #[track_caller]
    pub fn finish(self) -> u64 {
        self.shared.is_ending.store(true, Ordering::SeqCst);
        let sent = self.sender.join().unwrap().expect("the sender");
        let received = self.receiver.join().unwrap().expect("the receiver");
        assert_eq!(received, sent, "bytes received and sent");
        sent
    }
}

impl Shared {
    fn watch(&self, who: &str, result: io::Result<u64>) -> io::Result<u64> {
        if let Err(error) = &result {
            *self.trouble.lock().unwrap() = Some(format!("the {who}: {error}"));
        }
        result
    }

    fn send(&self, mut stream: &TcpStream, at_least: u64) -> io::Result<u64> {
        let mut sent = 0;
        while sent < at_least || !self.is_ending.load(Ordering::SeqCst) {
            sent += stream.write(pattern(sent, CHUNK))? as u64;
        }
        stream.shutdown(Shutdown::Write)?;
        Ok(sent)
    }

    fn receive(&self, mut stream: &TcpStream) -> io::Result<u64> {
        let mut chunk = vec![0; CHUNK];
        let mut received = 0;
        loop {
            let length = stream.read(&mut chunk)?;
            if length == 0 {
                return Ok(received);
            }
            if chunk[..length] != *pattern(received, length) {
                let text = format!("wrong bytes after the first {received}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            received += length as u64;
            self.received.store(received, Ordering::SeqCst);
        }
    }
}
