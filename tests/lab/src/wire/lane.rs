//! When a frame leaves the wire, or why it is lost. Pure arithmetic over time.

use super::WireOptions;
use crate::pattern::Random;

/// The most frames in a lane, so that a long delay at full speed cannot exhaust the memory.
const IN_FLIGHT_FRAMES_MAX: usize = 65_536;

/// Why a frame is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    Chance,
    QueueFull,
}

/// The timetable of one direction. Times are nanoseconds since the wire began.
#[derive(Debug)]
pub(crate) struct Lane {
    /// When the last accepted frame has been clocked out at the wire's rate.
    line_free_at: u64,
    /// When the last accepted frame arrives; no later frame may arrive before it.
    last_arrival: u64,
    random: Random,
}

impl Lane {
    pub(crate) fn new(seed: u64) -> Lane {
        Lane { line_free_at: 0, last_arrival: 0, random: Random::new(seed) }
    }

    /// Schedules a frame of `bytes` at `now`, while `in_flight` others have not arrived. Returns
    /// when it arrives.
    pub(crate) fn admit(
        &mut self,
        now: u64,
        bytes: usize,
        in_flight: usize,
        options: &WireOptions,
    ) -> Result<u64, Loss> {
        // Drawn for every frame, so that the same frames are lost whatever else changes.
        if self.random.fraction() < options.loss {
            return Err(Loss::Chance);
        }
        if in_flight >= IN_FLIGHT_FRAMES_MAX {
            return Err(Loss::QueueFull);
        }
        let start = self.line_free_at.max(now);
        let end = match options.rate_bits_per_second {
            None => start,
            Some(rate) => {
                let waiting = bytes_in(start - now, rate) + bytes as u64;
                if waiting > options.queue_limit() as u64 {
                    return Err(Loss::QueueFull);
                }
                start + nanoseconds_for(bytes, rate)
            }
        };
        self.line_free_at = end;
        let delay = u64::try_from(options.delay.as_nanos()).unwrap_or(u64::MAX);
        self.last_arrival = self.last_arrival.max(end.saturating_add(delay));
        Ok(self.last_arrival)
    }
}

fn bytes_in(nanoseconds: u64, rate: u64) -> u64 {
    (u128::from(nanoseconds) * u128::from(rate) / 8_000_000_000) as u64
}

fn nanoseconds_for(bytes: usize, rate: u64) -> u64 {
    (bytes as u64 * 8_000_000_000) / rate.max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: u64 = 1_000_000;

    fn options(delay_ms: u64, rate: Option<u64>) -> WireOptions {
        WireOptions {
            delay: Duration::from_millis(delay_ms),
            rate_bits_per_second: rate,
            ..WireOptions::default()
        }
    }

    #[test]
    fn a_frame_takes_its_delay_and_its_own_length() {
        let mut lane = Lane::new(1);
        // 1000 bytes at 8 Mbit/s take 1 ms.
        let slow = options(20, Some(8_000_000));
        assert_eq!(lane.admit(0, 1000, 0, &slow), Ok(21 * MS));
        assert_eq!(lane.admit(0, 1000, 1, &slow), Ok(22 * MS));
        assert_eq!(lane.admit(50 * MS, 1000, 0, &slow), Ok(71 * MS));
    }

    #[test]
    fn frames_never_overtake() {
        let mut lane = Lane::new(1);
        assert_eq!(lane.admit(0, 100, 0, &options(50, None)), Ok(50 * MS));
        assert_eq!(lane.admit(MS, 100, 1, &options(1, None)), Ok(50 * MS));
        assert_eq!(lane.admit(60 * MS, 100, 0, &options(1, None)), Ok(61 * MS));
    }

    #[test]
    fn the_queue_has_an_end() {
        let mut lane = Lane::new(1);
        let short = WireOptions { queue_bytes: Some(2500), ..options(0, Some(8_000_000)) };
        assert!(lane.admit(0, 1000, 0, &short).is_ok());
        assert!(lane.admit(0, 1000, 1, &short).is_ok());
        assert_eq!(lane.admit(0, 1000, 2, &short), Err(Loss::QueueFull));
        assert!(lane.admit(MS, 1000, 1, &short).is_ok());
    }

    #[test]
    fn losses_have_their_rate_and_repeat() {
        let lossy = WireOptions { loss: 0.1, ..options(0, None) };
        let run = |seed| {
            let mut lane = Lane::new(seed);
            (0..10_000).map(|_| lane.admit(0, 100, 0, &lossy).is_err()).collect::<Vec<_>>()
        };
        let lost = run(7).iter().filter(|lost| **lost).count();
        assert!((900..1100).contains(&lost), "{lost} of 10000");
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!(Lane::new(1).admit(0, 1, 0, &WireOptions { loss: 1.0, ..lossy }).is_err());
    }

    #[test]
    fn a_default_queue_holds_two_round_trips() {
        assert_eq!(options(0, None).queue_limit(), 256 << 10);
        // 80 Mbit/s over 100 ms of round trip are 1 MB.
        assert_eq!(options(50, Some(80_000_000)).queue_limit(), 2_000_000);
    }
}
