//! The kernel's counters of Multipath TCP (MIB).

use std::fs;

use crate::cause;
use crate::error::{Error, Result};
use crate::shared::no_mptcp;
use crate::table::{Type, Typed, operation, record};

record! {
    /// One of the kernel's counters of Multipath TCP.
    pub struct Counter {
        /// The kernel's name, which `nstat` shows with the prefix `MPTcpExt`.
        name: String,
        /// How many times it has happened since the network namespace exists.
        value: u64,
    }
}

operation! {
    /// Reads the kernel's counters of Multipath TCP (MIB) in the calling thread's network namespace, in the
    /// kernel's order.
    ///
    /// Kernels differ in the counters that they have. The value of `MPCurrEstab` is the number of
    /// connections at the moment.
    ///
    /// # Errors
    /// `Unsupported` if the kernel has no such counters.
    ///
    /// ```
    /// for counter in subflows::counters()?.iter().filter(|counter| counter.value > 0) {
    ///     println!("{} {}", counter.name, counter.value);
    /// }
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row COUNTERS() -> Type::List(&Counter::TYPE), requires Nothing, since "5.6", [Unsupported];
    pub fn counters() -> Result<Vec<Counter>> {
        // Without `thread-self`, they would be those of the main thread's namespace.
        let text = fs::read_to_string("/proc/thread-self/net/netstat")
            .map_err(|error| Error::from_io(OPERATION, &error))?;
        parse(&text).ok_or_else(|| {
            let cause = no_mptcp::cause().filter(|cause| *cause == cause::NO_MPTCP);
            cause.unwrap_or(cause::NO_COUNTERS).error(OPERATION)
        })
    }
}

const OPERATION: &str = "counters";

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
