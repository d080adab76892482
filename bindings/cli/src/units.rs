//! Numbers for people, with decimal multiples, as is usual for network rates; and addresses.

use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use subflows::address_text;

/// `35.1 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        // Most connections are idle: this is several times faster.
        0..1_000 => format!("{bytes} B"),
        _ => ByteSize(bytes).display().si().to_string(),
    }
}

/// Writes what `address_text::written` returns, but faster for IPv4: a list of connections has thousands.
pub(crate) fn write_address(out: &mut Vec<u8>, address: SocketAddr) {
    let SocketAddr::V4(v4) = address else {
        return out.extend_from_slice(address_text::written(address).as_bytes());
    };
    for (octet, after) in v4.ip().octets().into_iter().zip(*b"...:") {
        out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
        out.push(after);
    }
    out.extend_from_slice(itoa::Buffer::new().format(v4.port()).as_bytes());
}

/// Returns what [`write_address`] writes.
pub(crate) fn address(address: SocketAddr) -> String {
    let mut text = Vec::with_capacity("255.255.255.255:65535".len());
    write_address(&mut text, address);
    String::from_utf8(text).unwrap_or_default()
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
        assert_eq!([999, 1000].map(bytes), ["999 B", "1.0 kB"]);
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

    #[test]
    fn addresses_are_written_as_by_core() {
        for text in ["0.0.0.0:0", "192.0.2.10:443", "255.255.255.255:65535", "[2001:db8::1]:80"] {
            let parsed = text.parse().unwrap();
            assert_eq!(
                (address(parsed), address_text::written(parsed)),
                (text.into(), text.into())
            );
        }
    }
}
