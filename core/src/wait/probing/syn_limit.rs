//! How long a SYN with MP_CAPABLE may be repeated.
//!
//! When the SYN has timed out `syn_retrans_before_tcp_fallback` + 1 times, the kernel sends one without the
//! option. If that is answered, the kernel sends none with the option from the whole network namespace, for
//! `blackhole_timeout` seconds (net/mptcp/ctrl.c). A probe must stop before that.

use std::time::Duration;

use crate::shared::settings;

/// The setting's default, and the number of repetitions in kernels without the setting.
const REPETITIONS: u32 = 2;
/// The shortest time between two SYNs: the kernel's first timeout, which later ones are no shorter than.
const TIMEOUT: Duration = Duration::from_secs(1);
/// So much earlier a probe stops. The process may be delayed by nearly a second more before harm is done.
const MARGIN: Duration = Duration::from_millis(100);
/// If the first timeout already ends the attempt.
const SHORTEST: Duration = Duration::from_millis(500);

/// Returns for how long a SYN with MP_CAPABLE may wait for its answer: with the default setting, the first SYN
/// and one repetition.
pub(super) fn patience() -> Duration {
    of(settings::number("syn_retrans_before_tcp_fallback").unwrap_or(REPETITIONS))
}

fn of(repetitions: u32) -> Duration {
    (TIMEOUT * repetitions.min(REPETITIONS)).saturating_sub(MARGIN).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_stops_before_the_kernel_falls_back() {
        for repetitions in 0..=255 {
            let fallback = TIMEOUT * (repetitions + 1);
            assert!(of(repetitions) + SHORTEST <= fallback, "{repetitions}");
        }
        assert_eq!(of(2), Duration::from_millis(1900));
    }
}
