//! The processes that hold sockets, by the sockets' inodes.

use std::collections::HashMap;
use std::fs::{self, DirEntry, File};

use nix::fcntl::readlinkat;

use crate::kernel_name::KernelName;
use crate::table::record;

record! {
    /// A process that holds the socket of a connection.
    pub struct ProcessInfo {
        /// Its process id, in the PID namespace that /proc shows.
        pid: u32,
        /// Its name, as in /proc/PID/comm: the first 15 bytes.
        name: KernelName,
    }
}

/// Calls `found` with the place of each of these inodes that a process holds, in the order of the processes;
/// more than once if a process has several descriptors of it.
///
/// Only the descriptors of processes that this process may inspect can be read: its user's, or all for root.
pub(super) fn holders(places: &HashMap<u32, usize>, mut found: impl FnMut(usize, &ProcessInfo)) {
    // Without /proc no process is known. The kernel lists them in the order of their numbers.
    let Ok(entries) = fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let folder = entry.path().join("fd");
        let (Ok(descriptors), Ok(folder)) = (fs::read_dir(&folder), File::open(&folder)) else {
            continue;
        };
        let mut process = None;
        for descriptor in descriptors.flatten() {
            let Some(place) = inode_of(&folder, &descriptor).and_then(|inode| places.get(&inode))
            else {
                continue;
            };
            if let Some(process) = process.get_or_insert_with(|| named(pid)) {
                found(*place, process);
            }
        }
    }
}

/// The inode of the socket that a descriptor refers to.
fn inode_of(folder: &File, descriptor: &DirEntry) -> Option<u32> {
    // Not by its whole path, which the kernel would walk for each of perhaps thousands.
    let target = readlinkat(folder, &*descriptor.file_name()).ok()?;
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The process with that number, unless it has ended.
fn named(pid: u32) -> Option<ProcessInfo> {
    // A process may give itself any bytes as its name.
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    let name = String::from_utf8_lossy(name.trim_ascii_end());
    Some(ProcessInfo { pid, name: KernelName::from(&*name) })
}
