//! The record that a switch is under way: a taker that holds the lock and finds it sets the switch back.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use super::journal::Journal;
use super::marker::Marker;

/// Where it is recorded.
pub(super) enum Record {
    /// In the network namespace, which every container sees that uses it.
    Marker(Marker),
    /// In a file, if an administrator uses the setting of the marker.
    Journal(Journal),
}

impl Record {
    /// Returns `None` if there can be no record: the process may not write one.
    pub(super) fn open(sock: BorrowedFd<'_>) -> Option<Record> {
        Marker::open().map(Record::Marker).or_else(|| Journal::open(sock).map(Record::Journal))
    }

    pub(super) fn is_under_way(&self) -> bool {
        match self {
            Record::Marker(marker) => marker.is_under_way(),
            Record::Journal(journal) => journal.is_under_way(),
        }
    }

    /// Records that a switch is under way, as far as that can be written: control is taken all the same.
    pub(super) fn begin(&self) {
        match self {
            Record::Marker(marker) => marker.begin(),
            Record::Journal(journal) => journal.begin(),
        }
    }

    /// Records that no switch is under way.
    pub(super) fn end(&self) {
        match self {
            Record::Marker(marker) => marker.end(),
            Record::Journal(journal) => journal.end(),
        }
    }
}

impl AsRawFd for Record {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Record::Marker(marker) => marker.0.as_raw_fd(),
            Record::Journal(journal) => journal.file.as_raw_fd(),
        }
    }
}
