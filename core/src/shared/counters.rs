//! The kernel's counters of Multipath TCP (MIB), of a network namespace.

use std::fs::File;
use std::io::{self, Read, Seek};

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

/// The counters of the network namespace in which the thread was when it opened them.
#[derive(Debug)]
pub(crate) struct Counters(File);

impl Counters {
    pub(crate) fn open() -> io::Result<Counters> {
        // Without `thread-self`, they would be those of the main thread's namespace.
        Ok(Counters(File::open("/proc/thread-self/net/netstat")?))
    }

    /// Reads the counters, in the kernel's order; `None` if the kernel has none.
    fn read(&mut self) -> io::Result<Option<Vec<Counter>>> {
        let mut text = String::new();
        self.0.rewind()?;
        self.0.read_to_string(&mut text)?;
        Ok(parse(&text))
    }

    /// Reads one counter; `None` if this kernel lacks it.
    pub(crate) fn value(&mut self, name: &str) -> Option<u64> {
        let counters = self.read().ok()??;
        counters.into_iter().find(|counter| counter.name == name).map(|counter| counter.value)
    }
}

/// Reads the counters of the calling thread's network namespace; `None` if the kernel has none.
pub(crate) fn read() -> io::Result<Option<Vec<Counter>>> {
    Counters::open()?.read()
}

/// Reads one counter of the calling thread's network namespace; `None` if this kernel lacks it.
pub(crate) fn value(name: &str) -> Option<u64> {
    Counters::open().ok()?.value(name)
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
