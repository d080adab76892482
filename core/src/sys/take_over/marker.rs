//! The marker: a setting of the network namespace that records that its switch is under way.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

/// A number that the kernel keeps for administrators and does not use (`tag` in `ip-sysctl.rst`). It is 0
/// unless an administrator writes it. Unlike the tag of `all`, a new network namespace does not inherit it.
const TAG: &str = "/proc/sys/net/ipv4/conf/lo/tag";
const UNUSED: &[u8] = b"0\n";
/// The letters `subf`.
const UNDER_WAY: &[u8] = b"1937072742\n";

/// It belongs to the namespace, so that a taker in another container finds it too. It is read and written
/// under the lock on the namespace. Once it is open, its methods allocate nothing.
pub(super) struct Marker(pub(super) File);

impl Marker {
    /// Opens the marker of the calling thread's network namespace. Returns `None` if the process may not
    /// write it, or if an administrator uses the tag.
    pub(super) fn open() -> Option<Marker> {
        let marker = Marker(OpenOptions::new().read(true).write(true).open(TAG).ok()?);
        (marker.is(UNUSED) || marker.is(UNDER_WAY)).then_some(marker)
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.is(UNDER_WAY)
    }

    /// Leaves a value alone that an administrator has written since the file was opened.
    pub(super) fn begin(&self) {
        if self.is(UNUSED) {
            let _ = self.0.write_at(UNDER_WAY, 0);
        }
    }

    /// Leaves a value alone that an administrator has written since.
    pub(super) fn end(&self) {
        if self.is(UNDER_WAY) {
            let _ = self.0.write_at(UNUSED, 0);
        }
    }

    fn is(&self, value: &[u8]) -> bool {
        let mut text = [0u8; 16];
        self.0.read_at(&mut text, 0).is_ok_and(|length| text[..length] == *value)
    }
}
