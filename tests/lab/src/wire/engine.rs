//! The thread of a wire: receives frames, delays them, and sends them on.

use std::collections::VecDeque;
use std::mem;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lane::{Lane, Loss};
use super::{Direction, Shared, State, WireOptions};
use crate::middlebox::{self, Outcome};
use crate::namespace::Namespace;
use crate::sys::packet::{BATCH, PacketSocket};
use crate::sys::{process, wait};

const ETHERNET_HEADER: usize = 14;

/// How many batches one direction may receive before the other direction and delivery continue.
const BATCHES_PER_TURN: usize = 4;

/// When a wire ends: how long it must be idle, and how long the thread waits for that and for the end of
/// connections at most.
const DRAIN_QUIET: Duration = Duration::from_millis(2);
const DRAIN_MAX: Duration = Duration::from_millis(200);

/// A frame in flight.
struct Flight {
    buffer: Box<[u8]>,
    bytes: usize,
    arrival: u64,
}

/// One direction: its timetable and its frames in flight, in order of arrival.
struct Track {
    direction: Direction,
    lane: Lane,
    flights: VecDeque<Flight>,
}

pub(super) struct Engine {
    shared: Arc<Shared>,
    /// The client's end, then the server's.
    ends: [PacketSocket; 2],
    tracks: [Track; 2],
    /// The buffers for the next batch.
    incoming: Vec<Box<[u8]>>,
    /// Unused buffers. They are reused, so that carrying a frame allocates nothing.
    idle: Vec<Box<[u8]>>,
    start: Instant,
}

impl Engine {
    pub(super) fn new(
        shared: Arc<Shared>,
        ends: [PacketSocket; 2],
        options: WireOptions,
    ) -> Engine {
        let track = |direction: Direction| Track {
            direction,
            lane: Lane::new(options.seed.wrapping_mul(2).wrapping_add(direction as u64)),
            flights: VecDeque::new(),
        };
        let frame_bytes_max = options.mtu as usize + ETHERNET_HEADER;
        Engine {
            shared,
            ends,
            tracks: Direction::BOTH.map(track),
            incoming: vec![vec![0; frame_bytes_max].into_boxed_slice(); BATCH],
            idle: Vec::new(),
            start: Instant::now(),
        }
    }

    /// Carries frames until the handle is dropped.
    pub(super) fn carry(&mut self) {
        process::sharpen_timers();
        while !self.deliver() {
            let [client, server] = &self.ends;
            let fds = [client.as_fd(), server.as_fd(), self.shared.bell.as_fd()];
            // The only possible error is a lack of memory; the next round tries again.
            let readable = wait::readable(fds, self.until_next_arrival()).unwrap_or_default();
            for direction in Direction::BOTH {
                if readable[direction as usize] {
                    self.accept(direction);
                }
            }
        }
        self.drain();
    }

    /// Carries the frames in flight, and the answers, without delay until no more come and no host has a
    /// connection. Connections that were closed just before can thus end; otherwise the kernel keeps them, and
    /// their namespace, for a minute (TCP_TIMEWAIT_LEN, in mptcp_close_timeout in net/mptcp/protocol.c).
    fn drain(&mut self) {
        // A busy machine is late with the answer to a DATA_FIN, which a worker of the kernel gives.
        let hosts = mem::take(&mut self.shared.lock().hosts);
        let end = Instant::now() + DRAIN_MAX;
        while Instant::now() < end {
            for track in &mut self.tracks {
                track.flights.iter_mut().for_each(|flight| flight.arrival = 0);
            }
            self.deliver();
            let [client, server] = &self.ends;
            let fds = [client.as_fd(), server.as_fd()];
            let readable = wait::readable(fds, Some(DRAIN_QUIET)).unwrap_or_default();
            let is_over =
                || self.shared.lock().is_pulled || !hosts.iter().any(Namespace::has_connections);
            if readable == [false, false] && is_over() {
                return;
            }
            Direction::BOTH.into_iter().for_each(|direction| self.accept(direction));
        }
    }

    /// Sends the frames that are due. Returns whether the wire must end.
    fn deliver(&mut self) -> bool {
        let now = now(self.start);
        // Locked while frames are sent: after `pull` has returned, none are.
        let mut state = self.shared.lock();
        for track in &mut self.tracks {
            if state.is_pulled {
                let counters = &mut state.counters[track.direction as usize];
                counters.vanished += track.flights.len() as u64;
                self.idle.extend(track.flights.drain(..).map(|flight| flight.buffer));
            }
            let end = &self.ends[track.direction.reverse() as usize];
            while track.send_due(now, end, &mut state, &mut self.idle) {}
        }
        state.is_ending
    }

    fn until_next_arrival(&self) -> Option<Duration> {
        let firsts = self.tracks.iter().filter_map(|track| track.flights.front());
        let next = firsts.map(|flight| flight.arrival).min()?;
        Some(Duration::from_nanos(next.saturating_sub(now(self.start))))
    }

    /// Receives the waiting frames of one direction.
    fn accept(&mut self, direction: Direction) {
        for _ in 0..BATCHES_PER_TURN {
            let mut lengths = [0; BATCH];
            // An error means that there are no frames, or that the interface is down: nothing to
            // carry.
            let received = self.ends[direction as usize]
                .receive(&mut self.incoming, &mut lengths)
                .unwrap_or(0);
            self.admit(direction, &lengths[..received]);
            if received < BATCH {
                return;
            }
        }
    }

    /// Schedules the frames of one batch, or what the middleboxes made of them, or drops them.
    fn admit(&mut self, direction: Direction, lengths: &[usize]) {
        let now = now(self.start);
        let mut outcomes = [const { Outcome::Passed }; BATCH];
        let mut chain = self.shared.middleboxes();
        if !chain.is_empty() {
            for (index, &bytes) in lengths.iter().enumerate() {
                if let Some(frame) = self.incoming[index].get_mut(..bytes) {
                    outcomes[index] = middlebox::pass(&mut chain, direction, frame);
                }
            }
        }
        drop(chain);
        let mut state = self.shared.lock();
        for ((index, &bytes), outcome) in lengths.iter().enumerate().zip(outcomes) {
            let buffer = &mut self.incoming[index];
            let room = buffer.len();
            let mut fresh = || {
                let new = || vec![0; room].into_boxed_slice();
                self.idle.pop().unwrap_or_else(new)
            };
            let track = &mut self.tracks[direction as usize];
            match outcome {
                Outcome::Passed => {
                    if let Some(arrival) = track.arrival(now, bytes, room, &mut state) {
                        let buffer = mem::replace(buffer, fresh());
                        track.flights.push_back(Flight { buffer, bytes, arrival });
                    }
                }
                Outcome::Dropped => state.counters[direction as usize].filtered += 1,
                Outcome::Replaced(frames) => {
                    for (way, frame) in frames {
                        let (track, bytes) = (&mut self.tracks[way as usize], frame.len());
                        if let Some(arrival) = track.arrival(now, bytes, room, &mut state) {
                            let mut buffer = fresh();
                            buffer[..bytes].copy_from_slice(&frame);
                            track.flights.push_back(Flight { buffer, bytes, arrival });
                        }
                    }
                }
            }
        }
    }
}

impl Track {
    /// When a frame arrives, or `None` if it is dropped, which is counted: a frame that is larger than its
    /// buffer, too.
    fn arrival(&mut self, now: u64, bytes: usize, room: usize, state: &mut State) -> Option<u64> {
        let options = &state.options[self.direction as usize];
        let counters = &mut state.counters[self.direction as usize];
        if state.is_pulled || bytes > room {
            counters.vanished += 1;
        } else {
            match self.lane.admit(now, bytes, self.flights.len(), options) {
                Ok(arrival) => return Some(arrival),
                Err(Loss::Chance) => counters.lost += 1,
                Err(Loss::QueueFull) => counters.overflowed += 1,
            }
        }
        None
    }

    /// Sends one batch of the frames that are due. Returns whether there may be more.
    fn send_due(
        &mut self,
        now: u64,
        end: &PacketSocket,
        state: &mut State,
        idle: &mut Vec<Box<[u8]>>,
    ) -> bool {
        let mut frames: [&[u8]; BATCH] = [&[]; BATCH];
        let mut count = 0;
        for flight in self.flights.iter().take(BATCH).take_while(|flight| flight.arrival <= now) {
            frames[count] = &flight.buffer[..flight.bytes];
            count += 1;
        }
        if count == 0 {
            return false;
        }
        let sent = end.send(&frames[..count]);
        let counters = &mut state.counters[self.direction as usize];
        let done = match sent {
            Ok(sent) => {
                counters.frames += sent as u64;
                counters.bytes +=
                    frames[..sent].iter().map(|frame| frame.len() as u64).sum::<u64>();
                sent
            }
            // The first frame cannot be sent, for instance because the interface is down. A cable
            // does not send it again.
            Err(_) => {
                counters.vanished += 1;
                1
            }
        };
        idle.extend(self.flights.drain(..done).map(|flight| flight.buffer));
        true
    }
}

fn now(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
