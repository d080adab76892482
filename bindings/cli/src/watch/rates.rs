//! Rates from counters that are read again and again.

use std::collections::VecDeque;
use std::time::Duration;

/// How many rates are kept: as many as the widest terminal shows.
const KEPT: usize = 120;

/// A pair of counters of bytes, and the rates at which they grew.
#[derive(Debug, Default)]
pub(super) struct Flow {
    last: Option<[u64; 2]>,
    /// In bytes per second, sent and received, the newest last.
    rates: VecDeque<[f64; 2]>,
}

impl Flow {
    /// Adds what the counters show now, this long after they were read before.
    pub(super) fn add(&mut self, counters: [u64; 2], since: Duration) {
        let seconds = since.as_secs_f64();
        if let Some(last) = self.last.filter(|_| seconds > 0.0) {
            // A counter that has shrunk belongs to another connection, whose rate is not known yet.
            let grown = [0, 1].map(|of| counters[of].saturating_sub(last[of]));
            self.rates.push_back(grown.map(|bytes| bytes as f64 / seconds));
            if self.rates.len() > KEPT {
                self.rates.pop_front();
            }
        }
        self.last = Some(counters);
    }

    /// The newest rates: sent and received, in bytes per second. `None` after the first reading.
    pub(super) fn rate(&self) -> Option<[f64; 2]> {
        self.rates.back().copied()
    }

    /// The newest rates of both directions together, the newest last.
    pub(super) fn newest(&self, count: usize) -> Vec<f64> {
        let skipped = self.rates.len().saturating_sub(count);
        self.rates.iter().skip(skipped).map(|[sent, received]| sent + received).collect()
    }
}

/// A chart of one line, right-aligned in that width. The highest bar is `most`.
pub(super) fn chart(rates: &[f64], most: f64, width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &rates[rates.len().saturating_sub(width)..];
    let bar = |rate: &f64| match *rate {
        rate if rate <= 0.0 || most <= 0.0 => ' ',
        rate => BARS[((rate / most * 8.0).ceil() as usize).clamp(1, 8) - 1],
    };
    let bars: String = shown.iter().map(bar).collect();
    format!("{bars:>width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_rate_needs_two_readings() {
        let mut flow = Flow::default();
        flow.add([1000, 50], SECOND);
        assert_eq!(flow.rate(), None);
        flow.add([3000, 50], SECOND * 2);
        assert_eq!(flow.rate(), Some([1000.0, 0.0]));
        flow.add([3000, 150], SECOND / 2);
        assert_eq!(flow.rate(), Some([0.0, 200.0]));
        assert_eq!(flow.newest(1), [200.0]);
        assert_eq!(flow.newest(9), [1000.0, 200.0]);
    }

    #[test]
    fn a_counter_that_shrinks_or_a_clock_that_stands_has_no_rate() {
        let mut flow = Flow::default();
        flow.add([1000, 0], SECOND);
        flow.add([10, 0], SECOND);
        assert_eq!(flow.rate(), Some([0.0, 0.0]));
        flow.add([500, 0], Duration::ZERO);
        assert_eq!(flow.newest(9), [0.0]);
    }

    #[test]
    fn old_rates_are_forgotten() {
        let mut flow = Flow::default();
        (0..1000).for_each(|reading| flow.add([reading, 0], SECOND));
        assert_eq!(flow.newest(usize::MAX).len(), KEPT);
    }

    #[test]
    fn the_chart_is_as_wide_as_asked() {
        assert_eq!(chart(&[], 1.0, 3), "   ");
        assert_eq!(chart(&[0.0, 1.0, 8.0], 8.0, 4), "  ▁█");
        assert_eq!(chart(&[8.0, 8.0, 4.0], 8.0, 2), "█▄");
        assert_eq!(chart(&[5.0], 0.0, 2), "  ");
    }
}
