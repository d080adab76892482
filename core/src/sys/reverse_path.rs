//! The counter of this host's reverse-path filter (`net.ipv4.conf.*.rp_filter`).

use std::os::fd::BorrowedFd;

use super::namespace;

/// Returns how many packets the filter has dropped in the network namespace of the socket; `None` if
/// the thread is in another one, or the counter cannot be read.
pub(crate) fn dropped(sock: BorrowedFd<'_>) -> Option<u64> {
    if !namespace::is_here(sock).ok()? {
        return None;
    }
    let text = std::fs::read_to_string("/proc/thread-self/net/netstat").ok()?;
    number(&text, "TcpExt:", "IPReversePathFilter")
}

/// Each group has a line of names, and a line of numbers in the same order.
fn number(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group));
    let place = lines.next()?.split_whitespace().position(|found| found == name)?;
    lines.next()?.split_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_counter_is_found_by_its_name() {
        let text = "TcpExt: A IPReversePathFilter B\nTcpExt: 1 22 3\nIpExt: A\nIpExt: 4\n";
        assert_eq!(number(text, "TcpExt:", "IPReversePathFilter"), Some(22));
        assert_eq!(number(text, "TcpExt:", "C"), None);
        assert_eq!(number("", "TcpExt:", "A"), None);
    }
}
