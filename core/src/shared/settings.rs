//! Reading the settings of Multipath TCP in a network namespace: `net.mptcp.*`.

use std::fs;

/// The files of the calling thread's network namespace.
pub(crate) const FOLDER: &str = "/proc/sys/net/mptcp";

/// The text of a setting; `None` if this kernel lacks it.
pub(crate) fn read(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("{FOLDER}/{name}")).ok()?;
    Some(text.trim_ascii().to_owned())
}

/// A setting that is a number; `None` if this kernel lacks it.
pub(crate) fn number(name: &str) -> Option<u32> {
    read(name)?.parse().ok()
}
