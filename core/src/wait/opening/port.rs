//! Source ports: from the namespace's ephemeral range, as far as the socket may use it
//! (`IP_LOCAL_PORT_RANGE`), without the reserved ones.

use std::cell::RefCell;
use std::fs;
use std::ops::RangeInclusive;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::sys::uapi::IP_LOCAL_PORT_RANGE;
use crate::sys::{namespace, random, socket};

/// How long the namespace's settings are used before they are read again.
const FRESH: Duration = Duration::from_secs(1);
/// How many reserved ports may be drawn before one of them is used nevertheless.
const TRIES: usize = 64;

struct Settings {
    namespace: u64,
    read: Instant,
    range: RangeInclusive<u16>,
    reserved: Vec<RangeInclusive<u16>>,
}

/// Chooses a random port, which may be in use: the kernel decides when it is bound.
pub(crate) fn ephemeral(sock: BorrowedFd<'_>) -> u16 {
    thread_local! {
        static SETTINGS: RefCell<Option<Settings>> = const { RefCell::new(None) };
    }
    let namespace = namespace::cookie(sock).unwrap_or(0);
    let own = own_range(sock);
    let is_fresh =
        |settings: &&Settings| settings.namespace == namespace && settings.read.elapsed() < FRESH;
    let chosen = SETTINGS.try_with(|slot| {
        let mut slot = slot.borrow_mut();
        match slot.as_ref().filter(is_fresh) {
            Some(settings) => settings.choose(own),
            None => slot.insert(Settings::read(namespace)).choose(own),
        }
    });
    // While the thread ends, its cache is gone: the settings are read for this call only.
    chosen.unwrap_or_else(|_| Settings::read(namespace).choose(own))
}

/// Returns the lowest and the highest port that the socket may use, each 0 if it has no such limit (as
/// every socket before Linux 6.3).
fn own_range(sock: BorrowedFd<'_>) -> (u16, u16) {
    let both = socket::get_i32(sock, libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE).unwrap_or(0) as u32;
    (both as u16, (both >> 16) as u16)
}

impl Settings {
    fn read(namespace: u64) -> Settings {
        const DEFAULT: RangeInclusive<u16> = 32_768..=60_999;
        let setting = |name| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
        let range = setting("ip_local_port_range").ok().and_then(|text| parse_range(&text));
        let reserved = setting("ip_local_reserved_ports").unwrap_or_default();
        Settings {
            namespace,
            read: Instant::now(),
            range: range.unwrap_or(DEFAULT),
            reserved: parse_reserved(&reserved),
        }
    }

    fn choose(&self, own: (u16, u16)) -> u16 {
        // As the kernel: a limit that is outside of the namespace's range has no effect.
        let limit = |own: u16, other: u16| if self.range.contains(&own) { own } else { other };
        let (low, high) = (limit(own.0, *self.range.start()), limit(own.1, *self.range.end()));
        let span = u64::from(high.saturating_sub(low)) + 1;
        let any = || low + (random::number() % span) as u16;
        let is_reserved = |port| self.reserved.iter().any(|range| range.contains(&port));
        (0..TRIES).map(|_| any()).find(|port| !is_reserved(*port)).unwrap_or_else(any)
    }
}

/// `LOW HIGH`.
fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_whitespace().map(str::parse::<u16>);
    let (low, high) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (1 <= low && low <= high).then_some(low..=high)
}

/// `PORT,LOW-HIGH,…`.
fn parse_reserved(text: &str) -> Vec<RangeInclusive<u16>> {
    let parse = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        Some(low.parse().ok()?..=high.parse().ok()?)
    };
    text.trim().split(',').filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_is_read_or_rejected() {
        assert_eq!(parse_range("32768\t60999\n"), Some(32_768..=60_999));
        assert_eq!(parse_range("0 1"), None);
        assert_eq!(parse_range("5 4"), None);
        assert_eq!(parse_range("5"), None);
    }

    #[test]
    fn reserved_ports_are_not_chosen() {
        assert_eq!(parse_reserved("8080,9000-9100\n"), [8080..=8080, 9000..=9100]);
        assert_eq!(parse_reserved("\n"), []);
        let (range, reserved) = (1000..=1003, vec![1000..=1001, 1003..=1003]);
        let settings = Settings { namespace: 0, read: Instant::now(), range, reserved };
        assert!((0..100).all(|_| settings.choose((0, 0)) == 1002));
    }

    #[test]
    fn the_range_of_the_socket_counts_within_that_of_the_namespace() {
        let settings = Settings {
            namespace: 0,
            read: Instant::now(),
            range: 1000..=1009,
            reserved: Vec::new(),
        };
        let all_in = |own, range: RangeInclusive<u16>| {
            (0..100).all(|_| range.contains(&settings.choose(own)))
        };
        assert!(all_in((1003, 1004), 1003..=1004));
        assert!(all_in((1008, 0), 1008..=1009));
        assert!(all_in((0, 1001), 1000..=1001));
        assert!(all_in((1, 9), 1000..=1009));
    }
}
