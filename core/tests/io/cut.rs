//! A transfer over two paths, of which one is cut after half of the data.

use std::io::Write;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use subflows::Open;
use subflows_lab::{Direction, Net, Random, WireOptions, wait_until};

use crate::common::{self, Pair, SOON};

/// More than the buffers of both ends and of both wires hold when half of it has arrived.
pub(crate) const SIZE: usize = 4 << 20;

/// The data of a transfer.
pub(crate) fn data() -> Vec<u8> {
    let mut data = vec![0; SIZE];
    Random::new(7).fill(&mut data);
    data
}

/// How much of the data the receiving program has got.
#[derive(Default)]
pub(crate) struct Progress(AtomicUsize);

impl Progress {
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::SeqCst);
    }

    pub(crate) fn received(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A connection with two subflows, each on a wire of its own, and which of the wires will be cut.
pub(crate) struct Two {
    net: Net,
    pair: Pair,
    /// The direction of the data.
    direction: Direction,
    cut: usize,
}

impl Two {
    fn connect(family: usize, direction: Direction, cut: usize) -> Two {
        let wire = WireOptions {
            delay: Duration::from_millis(1),
            // Half a second for the second half of the data, in which even a busy machine cuts a path.
            rate_bits_per_second: Some(16_000_000),
            ..WireOptions::default()
        };
        let net = common::open_handed(Net::wires(&[("first", wire), ("second", wire)]).unwrap());
        let to: IpAddr = net.paths[0].server_ips()[family];
        let pair = common::controlled(&net, to);
        let options = Open::new().interface("second");
        net.client.run(|| subflows::open(&pair.client, &options)).unwrap();
        Two { net, pair, direction, cut }
    }

    fn ends(&self) -> (&TcpStream, &TcpStream) {
        match self.direction {
            Direction::ToServer => (&self.pair.client, &self.pair.server),
            Direction::ToClient => (&self.pair.server, &self.pair.client),
        }
    }

    /// How many bytes each wire has carried in the direction of the data.
    fn carried(&self) -> [u64; 2] {
        [0, 1].map(|path| self.net.paths[path].wire().unwrap().counters(self.direction).bytes)
    }

    /// Cuts a path when half of the data has arrived.
    fn cut_at_half(&self, progress: &Progress) {
        wait_until(SOON, "half of the data to arrive", || progress.received() >= SIZE / 2);
        let carried = self.carried();
        self.net.paths[self.cut].wire().unwrap().pull();
        let received = progress.received();
        assert!(received < SIZE, "everything had arrived before the path was cut");
        assert!(carried.iter().all(|bytes| *bytes > SIZE as u64 / 20), "carried: {carried:?}");
    }
}

/// Transfers the data to the server by IPv4 and to the client by IPv6, each with a path cut midway. Returns what
/// the receivers returned.
pub(crate) fn transfers<T: Send>(
    send: impl Fn(&TcpStream, &[u8]) + Sync,
    receive: impl Fn(&TcpStream, &Progress) -> T + Sync,
) -> [T; 2] {
    let data = &data();
    [(0, Direction::ToServer, 0), (1, Direction::ToClient, 1)].map(|(family, direction, cut)| {
        let two = Two::connect(family, direction, cut);
        let (from, to) = two.ends();
        let progress = &Progress::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                send(from, data);
                from.shutdown(Shutdown::Write).unwrap();
            });
            let receiver = scope.spawn(|| receive(to, progress));
            two.cut_at_half(progress);
            receiver.join().unwrap()
        })
    })
}

/// As [`transfers`], for receivers that return the data. It must be what was sent.
pub(crate) fn arrives(
    send: impl Fn(&TcpStream, &[u8]) + Sync,
    receive: impl Fn(&TcpStream, &Progress) -> Vec<u8> + Sync,
) {
    for received in transfers(send, receive) {
        // Without the bytes in the message.
        assert_eq!(received.len(), SIZE);
        assert!(received == data(), "the data were damaged");
    }
}

/// Sends by write(2).
pub(crate) fn write(mut stream: &TcpStream, data: &[u8]) {
    stream.write_all(data).unwrap();
}
