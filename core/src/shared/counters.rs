//! The kernel's counters of Multipath TCP (MIB), of the calling thread's network namespace.

use std::fs;
use std::io;

use crate::table::record;

record! {
    /// One of the kernel's counters of Multipath TCP.
    pub struct Counter {
        /// The kernel's name, which `nstat` shows with the prefix `MPTcpExt`.
        name: String,
        /// How many times it has happened since the network namespace exists.
        value: u64,
    }
}

/// Reads the counters, in the kernel's order; `None` if the kernel has none.
pub(crate) fn read() -> io::Result<Option<Vec<Counter>>> {
    // Without `thread-self`, they would be those of the main thread's namespace.
    Ok(parse(&fs::read_to_string("/proc/thread-self/net/netstat")?))
}

/// Reads one counter; `None` if this kernel lacks it.
pub(crate) fn value(name: &str) -> Option<u64> {
    let counters = read().ok()??;
    counters.into_iter().find(|counter| counter.name == name).map(|counter| counter.value)
}

/// Reads the two lines of Multipath TCP: the names, and the values in the same order.
fn parse(text: &str) -> Option<Vec<Counter>> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("MPTcpExt:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let pairs = names.split_ascii_whitespace().zip(values.split_ascii_whitespace());
    let counter = |(name, value): (&str, &str)| {
        Some(Counter { name: name.to_owned(), value: value.parse().ok()? })
    };
    pairs.map(counter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_other_protocols_do_not_count() {
        let text = "TcpExt: A B\nTcpExt: 1 2\nMPTcpExt: C D\nMPTcpExt: 3 18446744073709551615\n";
        let counters = parse(text).unwrap();
        let found: Vec<_> = counters.iter().map(|one| (one.name.as_str(), one.value)).collect();
        assert_eq!(found, [("C", 3), ("D", u64::MAX)]);
        assert_eq!(parse("TcpExt: A\nTcpExt: 1\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn random_text_is_rejected_or_read(text: String) {
            let _ = parse(&text);
            let _ = parse(&format!("MPTcpExt: {text}\nMPTcpExt: {text}"));
        }
    }
}
