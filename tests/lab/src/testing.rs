//! Helpers for tests: skips that are counted, and waits with a deadline.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::privilege::can_make_namespaces;
use crate::sys::wait;

/// The first pause between two checks of [`wait_until`], and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(5));

/// The longest pause after a check that took long. A check may have waited for most of its time: pauses in
/// proportion to that would let seconds pass between two looks.
const LONGEST_AFTER_SLOW: Duration = Duration::from_millis(100);

/// The pauses between checks of something that no descriptor reports. Each is twice as long as the one before, up
/// to the longest, and three times as long as the last check took, up to 100 ms: checks of less than 33 ms use a
/// quarter of a processor at most.
#[derive(Debug)]
pub struct Pauses {
    next: Duration,
    longest: Duration,
    began: Instant,
}

impl Pauses {
    /// Begins with the first check.
    pub fn new(first: Duration, longest: Duration) -> Pauses {
        Pauses { next: first, longest, began: Instant::now() }
    }

    /// Pauses after a check.
    pub fn pause(&mut self) {
        let _ = wait::readable([], Some(self.after(self.began.elapsed())));
        self.next = self.longest.min(self.next * 2);
        self.began = Instant::now();
    }

    /// Returns the pause after a check that took so long.
    fn after(&self, took: Duration) -> Duration {
        self.next.max(LONGEST_AFTER_SLOW.min(took * 3))
    }
}

/// Ends a test that needs namespaces if it cannot run here, and reports the skip.
///
/// ```no_run
/// fn test() {
///     subflows_lab::skip_unless_ready!();
/// }
/// ```
#[macro_export]
macro_rules! skip_unless_ready {
    () => {
        if !$crate::ready() {
            return;
        }
    };
}

/// Whether a test that needs namespaces can run here; reports a skip if not.
pub fn ready() -> bool {
    can_make_namespaces().inspect_err(|why| skip(why)).is_ok()
}

/// Reports on standard error that the running test is skipped, and why. The test must return then.
pub fn skip(why: &str) {
    // libtest gives the thread of a test the test's name, and captures what the print macros write.
    let name = thread::current().name().filter(|name| *name != "main").unwrap_or("").to_owned();
    let _ = writeln!(io::stderr(), "skip: {name}: {why}");
}

/// Waits until `condition` holds, checking it again and again.
///
/// # Panics
/// If the condition does not hold before the deadline; the message contains `what`.
#[track_caller]
pub fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    let mut pauses = Pauses::new(PAUSES.0, PAUSES.1);
    while !condition() {
        assert!(start.elapsed() < deadline, "not within {deadline:?}: {what}");
        pauses.pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_the_condition_holds() {
        let mut looks = 0;
        wait_until(Duration::from_secs(5), "three looks", || {
            looks += 1;
            looks == 3
        });
    }

    #[test]
    fn a_pause_follows_the_check_before_it_within_limits() {
        let pauses = Pauses::new(PAUSES.0, PAUSES.1);
        let after = |took| pauses.after(Duration::from_micros(took)).as_micros();
        assert_eq!([10, 1000, 30_000, 2_000_000].map(after), [200, 3000, 90_000, 100_000]);
    }

    #[test]
    #[should_panic(expected = "a miracle")]
    fn a_wait_ends_at_its_deadline() {
        wait_until(Duration::from_millis(3), "a miracle", || false);
    }
}
