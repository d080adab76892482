//! The history of the subflows, read at intervals.

use std::time::{Duration, Instant};

use subflows::{Details, Subflow};
use subflows_lab::{Bytes, Net};

use super::NAMES;
use crate::failure::Failure;

/// The interval over which the current rate is taken.
const CURRENT: Duration = Duration::from_millis(400);

/// How many bytes had arrived at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) at: Duration,
    pub(super) bytes: u64,
}

/// One subflow, from its first to its last appearance in the list.
pub(super) struct Track {
    /// The index of its path.
    pub(super) path: usize,
    pub(super) subflow: Subflow,
    pub(super) details: Option<Details>,
    /// When it was first missing from the list.
    pub(super) closed: Option<Duration>,
    pub(super) points: Vec<Point>,
}

impl Track {
    pub(super) fn name(&self) -> &'static str {
        NAMES[self.path]
    }

    /// The rate between two times, in bits per second.
    pub(super) fn rate(&self, from: Duration, to: Duration) -> f64 {
        rate(&self.points, from, to)
    }

    /// Whether it was open at any time between these two.
    pub(super) fn is_seen_between(&self, from: Duration, to: Duration) -> bool {
        let opened = self.points.first().map_or(to, |point| point.at);
        opened < to && self.closed.is_none_or(|closed| closed > from)
    }

    /// The current rate.
    pub(super) fn rate_now(&self) -> f64 {
        let now = self.points.last().map_or(Duration::ZERO, |point| point.at);
        if self.closed.is_none() { self.rate(now.saturating_sub(CURRENT), now) } else { 0.0 }
    }
}

/// All subflows in the order in which they were opened.
pub(super) struct History {
    start: Instant,
    pub(super) tracks: Vec<Track>,
}

impl History {
    pub(super) fn new() -> History {
        History { start: Instant::now(), tracks: Vec::new() }
    }

    /// The time since the start.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Reads the subflows of the connection.
    pub(super) fn read(&mut self, sock: &std::net::TcpStream, net: &Net) -> Result<(), Failure> {
        let listed = subflows::list(sock)?;
        let at = self.now();
        for track in &mut self.tracks {
            if listed.iter().all(|subflow| subflow.id != track.subflow.id) {
                track.closed.get_or_insert(at);
                // It receives no more data: its curve continues as a flat line.
                track.points.push(Point { at, bytes: track.subflow.bytes_received });
            }
        }
        for subflow in listed {
            let details = subflows::details(sock, subflow.id).ok();
            let point = Point { at, bytes: subflow.bytes_received };
            let known = self.tracks.iter_mut().find(|track| track.subflow.id == subflow.id);
            let Some(track) = known else {
                let is_its = |path: &subflows_lab::Path| path.client_v4 == subflow.local.ip();
                let path = net.paths.iter().position(is_its).unwrap_or(0);
                let points = vec![Point { at, bytes: 0 }, point];
                self.tracks.push(Track { path, subflow, details, closed: None, points });
                continue;
            };
            track.subflow = subflow;
            track.details = details.or(track.details.take());
            track.points.push(point);
        }
        Ok(())
    }

    /// The subflow of a path.
    pub(super) fn on_path(&self, path: usize) -> Option<&Track> {
        self.tracks.iter().find(|track| track.path == path)
    }

    /// The sum of the rates between two times.
    pub(super) fn rate(&self, from: Duration, to: Duration) -> f64 {
        self.tracks.iter().map(|track| track.rate(from, to)).sum()
    }
}

/// The bytes that each wire has carried to the client since it was made.
pub(super) fn on_the_wires(net: &Net) -> Vec<u64> {
    let bytes = |path: &subflows_lab::Path| path.bytes().unwrap_or_default();
    net.paths.iter().map(bytes).map(|Bytes { to_client, .. }| to_client).collect()
}

fn rate(points: &[Point], from: Duration, to: Duration) -> f64 {
    let seconds = to.saturating_sub(from).as_secs_f64();
    if seconds == 0.0 {
        return 0.0;
    }
    (bytes_at(points, to) - bytes_at(points, from)).max(0.0) * 8.0 / seconds
}

/// How many bytes had arrived at a time, interpolated between two readings.
fn bytes_at(points: &[Point], at: Duration) -> f64 {
    let next = points.partition_point(|point| point.at <= at);
    match (next.checked_sub(1).map(|index| points[index]), points.get(next)) {
        (None, _) => 0.0,
        (Some(last), None) => last.bytes as f64,
        (Some(before), Some(after)) => {
            let part = (at - before.at).as_secs_f64() / (after.at - before.at).as_secs_f64();
            before.bytes as f64 + part * (after.bytes as f64 - before.bytes as f64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn rates_are_taken_between_any_two_times() {
        let points = [(1000, 0), (1000, 50), (2000, 1050), (3000, 1050)]
            .map(|(at, bytes)| Point { at: ms(at), bytes });
        assert_eq!(bytes_at(&points, ms(500)), 0.0);
        assert_eq!(bytes_at(&points, ms(1500)), 550.0);
        assert_eq!(bytes_at(&points, ms(9000)), 1050.0);
        assert_eq!(rate(&points, ms(1000), ms(2000)), 8000.0);
        assert_eq!(rate(&points, ms(2000), ms(3000)), 0.0);
        assert_eq!(rate(&points, ms(2000), ms(2000)), 0.0);
        assert_eq!(rate(&[], ms(0), ms(1)), 0.0);
    }
}
