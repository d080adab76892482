//! The journal: a file for each network namespace, which records that its switch is under way.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::mkdir;

use crate::sys::namespace;

/// Only root may write there: a journal is read by processes that can write the switch.
const JOURNALS: &str = "/run/subflows";
/// How many old journals are checked when one is made, and after which time without use they are
/// removed.
const OLD_JOURNALS: usize = 64;
const OLD: Duration = Duration::from_secs(60);

/// `1` and the number of this boot while a switch is under way: after a reboot, which the file may survive
/// in a container, the same name is that of another namespace. It is read and written under the lock on
/// the namespace. Once it is open, its methods allocate nothing: they run in a child that shares this
/// process's memory.
pub(super) struct Journal {
    pub(super) file: File,
    under_way: Vec<u8>,
}

impl Journal {
    /// Opens the journal of the socket's network namespace, or makes one. Returns `None` if that is
    /// not possible: the process may not write there, or the kernel does not number its namespaces.
    pub(super) fn open(sock: BorrowedFd<'_>) -> Option<Journal> {
        let path = format!("{JOURNALS}/path-manager.{}", namespace::cookie(sock)?);
        let under_way = under_way();
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        match options.open(&path) {
            Ok(file) => Some(Journal { file, under_way }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match mkdir(JOURNALS, Mode::S_IRWXU) {
                    Err(Errno::EEXIST) => remove_old(&under_way),
                    result => result.ok()?,
                }
                let file = options.create(true).open(&path).ok()?;
                Some(Journal { file, under_way })
            }
            Err(_) => None,
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        let mut text = [0u8; 64];
        self.file.read_at(&mut text, 0).is_ok_and(|length| text[..length] == *self.under_way)
    }

    pub(super) fn begin(&self) {
        let _ = self.file.write_at(&self.under_way, 0);
    }

    pub(super) fn end(&self) {
        let _ = self.file.write_at(b"0", 0);
    }
}

/// What a journal of this boot contains while a switch is under way.
fn under_way() -> Vec<u8> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("1 {:36.36}\n", boot.trim()).into_bytes()
}

/// Removes journals by age: the kernel sends no notice when a namespace ends. A live namespace gets
/// a new journal with the next take-over.
fn remove_old(under_way: &[u8]) {
    let Ok(entries) = fs::read_dir(JOURNALS) else { return };
    for entry in entries.flatten().take(OLD_JOURNALS) {
        let is_old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|last| last.elapsed().is_ok_and(|age| age > OLD));
        if is_old && fs::read(entry.path()).is_ok_and(|text| text != under_way) {
            // Another process may have removed it.
            let _ = fs::remove_file(entry.path());
        }
    }
}
