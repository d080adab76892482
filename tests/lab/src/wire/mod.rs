//! A cable in user space with delay, rate, loss and a plug, for kernels without netem.
//!
//! A wire is a thread that carries Ethernet frames between two interfaces of one namespace,
//! normally the inner ends of two veth pairs whose outer ends are the interfaces of hosts. It works
//! wherever namespaces do: it needs neither a kernel module nor /dev/net/tun.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! # use std::time::Duration;
//! use subflows_lab::{Net, WireOptions};
//! let slow = WireOptions { delay: Duration::from_millis(30), ..WireOptions::default() };
//! let net = Net::wires(&[("wifi", WireOptions::default()), ("lte", slow)])?;
//! net.paths[0].wire().unwrap().set_loss(0.02);
//! # Ok(())
//! # }
//! ```

mod engine;
mod lane;
mod spec;

use std::io;
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::middlebox::Middlebox;
use crate::namespace::Namespace;
use crate::sys::packet::PacketSocket;
use engine::Engine;
pub(crate) use spec::check_name;
pub use spec::{PathSpec, PathSpecError};

/// The smallest queue before a slow wire: 170 full frames, as in a home router.
const QUEUE_BYTES_MIN: usize = 256 << 10;

/// The direction of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the first end, the client's.
    ToServer,
    /// From the second end, the server's.
    ToClient,
}

impl Direction {
    /// Both directions, in the order in which arrays of two hold them.
    pub const BOTH: [Direction; 2] = [Direction::ToServer, Direction::ToClient];

    /// The opposite direction.
    pub fn reverse(self) -> Direction {
        match self {
            Direction::ToServer => Direction::ToClient,
            Direction::ToClient => Direction::ToServer,
        }
    }
}

/// What a wire does to the frames of one direction. The default is a perfect cable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WireOptions {
    /// How long each frame travels. It is one-way: a round trip takes twice as long.
    pub delay: Duration,
    /// How many bits of Ethernet frames pass per second; `None` is without limit.
    pub rate_bits_per_second: Option<u64>,
    /// Which part of the frames is lost by chance, from 0.0 (none) to 1.0 (all).
    pub loss: f64,
    /// How many bytes may wait if the rate is limited; what does not fit is dropped. `None` is
    /// twice what the wire holds in a round trip, at least 256 KiB.
    pub queue_bytes: Option<usize>,
    /// The largest packet, without the Ethernet header. It is fixed when the wire is made.
    pub mtu: u32,
    /// The seed of the random losses: with equal seeds, frames of equal numbers are lost.
    pub seed: u64,
}

impl Default for WireOptions {
    fn default() -> WireOptions {
        WireOptions {
            delay: Duration::ZERO,
            rate_bits_per_second: None,
            loss: 0.0,
            queue_bytes: None,
            mtu: 1500,
            seed: 1,
        }
    }
}

impl WireOptions {
    /// How many bytes may wait if the rate is limited.
    pub(crate) fn queue_limit(&self) -> usize {
        let rate = self.rate_bits_per_second.unwrap_or(0) as f64;
        let round_trip_bytes = rate / 8.0 * self.delay.as_secs_f64() * 2.0;
        self.queue_bytes.unwrap_or(QUEUE_BYTES_MIN.max(2 * round_trip_bytes as usize))
    }
}

/// What has happened to the frames of one direction so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireCounters {
    /// Frames that arrived at the other end.
    pub frames: u64,
    /// Their bytes, Ethernet headers included.
    pub bytes: u64,
    /// Frames lost by chance (`loss`).
    pub lost: u64,
    /// Frames dropped because the queue was full.
    pub overflowed: u64,
    /// Frames that a middlebox dropped.
    pub filtered: u64,
    /// Frames that were dropped because the cable was pulled, or the far interface was down.
    pub vanished: u64,
}

impl WireCounters {
    /// All frames that entered and never left.
    pub fn dropped(&self) -> u64 {
        self.lost + self.overflowed + self.filtered + self.vanished
    }
}

/// What the thread and the handle share.
struct State {
    options: [WireOptions; 2],
    counters: [WireCounters; 2],
    /// Whose connections may end before the wire does.
    hosts: Vec<Namespace>,
    is_pulled: bool,
    is_ending: bool,
}

struct Shared {
    state: Mutex<State>,
    /// Separate from the state, so that a middlebox may read its wire's counters.
    middleboxes: Mutex<Vec<Box<dyn Middlebox>>>,
    /// Readable when the thread must end.
    bell: EventFd,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under this lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn middleboxes(&self) -> MutexGuard<'_, Vec<Box<dyn Middlebox>>> {
        // A middlebox that panicked has ended the thread, so it is not called again.
        self.middleboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One cable between two interfaces. Dropping it ends its thread.
pub struct Wire {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Wire {
    /// Joins two interfaces of `namespace`: everything that arrives at one leaves by the other. The
    /// first is the client's end. Both should be up, without addresses, and have the MTU of the
    /// options.
    pub fn join(
        namespace: &Namespace,
        client_end: &str,
        server_end: &str,
        options: WireOptions,
    ) -> io::Result<Wire> {
        let ends = {
            let _entered = namespace.enter()?;
            [PacketSocket::open(client_end)?, PacketSocket::open(server_end)?]
        };
        let state = State {
            options: [options; 2],
            counters: [WireCounters::default(); 2],
            hosts: Vec::new(),
            is_pulled: false,
            is_ending: false,
        };
        let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let shared =
            Arc::new(Shared { state: Mutex::new(state), middleboxes: Mutex::default(), bell });
        let mut engine = Engine::new(Arc::clone(&shared), ends, options);
        let thread =
            thread::Builder::new().name("wire".to_owned()).spawn(move || engine.carry())?;
        Ok(Wire { shared, thread: Some(thread) })
    }

    /// When the wire ends, lets the Multipath TCP connections of these hosts end before, for 200 ms at most.
    pub(crate) fn end_after_connections_of(&self, hosts: [&Namespace; 2]) {
        self.shared.lock().hosts = hosts.map(Namespace::clone).to_vec();
    }

    /// Sets the one-way delay of both directions. Frames in flight keep their delay, and frames
    /// never overtake each other.
    pub fn set_delay(&self, delay: Duration) {
        self.change_both(|options| options.delay = delay);
    }

    /// Sets the rate of both directions. Frames that already wait keep their schedule.
    pub fn set_rate(&self, bits_per_second: Option<u64>) {
        self.change_both(|options| options.rate_bits_per_second = bits_per_second);
    }

    /// Sets which part of the frames is lost in both directions, from 0.0 to 1.0.
    pub fn set_loss(&self, loss: f64) {
        self.change_both(|options| options.loss = loss);
    }

    /// Changes the options of one direction, for instance to lose acknowledgements only.
    pub fn change(&self, direction: Direction, change: impl FnOnce(&mut WireOptions)) {
        change(&mut self.shared.lock().options[direction as usize]);
    }

    /// The options of one direction.
    pub fn options(&self, direction: Direction) -> WireOptions {
        self.shared.lock().options[direction as usize]
    }

    /// Pulls the cable: frames in flight and later frames are dropped silently. The interfaces keep
    /// their carrier, as if the cable had been pulled behind the next switch.
    pub fn pull(&self) {
        self.shared.lock().is_pulled = true;
    }

    /// Plugs the cable in again.
    pub fn plug_in(&self) {
        self.shared.lock().is_pulled = false;
    }

    /// Adds a middlebox to the wire. Frames to the server pass middleboxes in the order in which
    /// they were added, frames to the client in reverse order; both before the delay.
    pub fn add(&self, middlebox: impl Middlebox + 'static) {
        self.add_boxed(Box::new(middlebox));
    }

    /// As [`Wire::add`], for a middlebox that is chosen at run time ([`BoxSpec`](crate::BoxSpec)).
    pub fn add_boxed(&self, middlebox: Box<dyn Middlebox>) {
        self.shared.middleboxes().push(middlebox);
    }

    /// What has happened to the frames of one direction so far.
    pub fn counters(&self, direction: Direction) -> WireCounters {
        self.shared.lock().counters[direction as usize]
    }

    fn change_both(&self, change: impl Fn(&mut WireOptions)) {
        self.shared.lock().options.iter_mut().for_each(change);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.lock().is_ending = true;
        // The bell cannot be full: this is its only use.
        let _ = self.shared.bell.write(1);
        let result = self.thread.take().map(JoinHandle::join);
        if let Some(Err(panic)) = result {
            // An assertion in a test's middlebox has failed: that is the test's result.
            if !thread::panicking() {
                panic::resume_unwind(panic);
            }
        }
    }
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("Wire")
            .field("options", &state.options)
            .field("counters", &state.counters)
            .field("is_pulled", &state.is_pulled)
            .finish_non_exhaustive()
    }
}
