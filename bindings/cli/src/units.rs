//! Numbers for people, with decimal multiples, as is usual for network rates.

use std::time::Duration;

use bytesize::ByteSize;

/// `35.1 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    ByteSize(bytes).display().si().to_string()
}

/// `187 Mbit/s`, `9.4 Mbit/s`.
pub(crate) fn rate(bits_per_second: f64) -> String {
    let (number, unit) = match bits_per_second {
        r if r >= 1e9 => (r / 1e9, "Gbit/s"),
        r if r >= 1e6 => (r / 1e6, "Mbit/s"),
        r if r >= 1e3 => (r / 1e3, "kbit/s"),
        r => return format!("{r:.0} bit/s"),
    };
    format!("{} {unit}", three_digits(number))
}

/// `850 us`, `20.4 ms`, `1.25 s`, from microseconds.
pub(crate) fn microseconds(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..1_000_000 => format!("{} ms", three_digits(us as f64 / 1e3)),
        _ => format!("{} s", three_digits(us as f64 / 1e6)),
    }
}

/// As [`microseconds`].
pub(crate) fn duration(duration: Duration) -> String {
    microseconds(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

fn three_digits(number: f64) -> String {
    match number {
        n if n >= 99.95 => format!("{n:.0}"),
        n if n >= 9.995 => format!("{n:.1}"),
        n => format!("{n:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_three_digits() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(268_435_456), "268.4 MB");
        assert_eq!(rate(0.0), "0 bit/s");
        assert_eq!(rate(9_430_000.0), "9.43 Mbit/s");
        assert_eq!(rate(187_300_000.0), "187 Mbit/s");
        assert_eq!(rate(1_200_000_000.0), "1.20 Gbit/s");
        assert_eq!(microseconds(999), "999 us");
        assert_eq!(microseconds(20_412), "20.4 ms");
        assert_eq!(microseconds(99_960), "100 ms");
        assert_eq!(duration(Duration::from_millis(1250)), "1.25 s");
    }
}
