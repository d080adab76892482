//! Detecting that this process is a fork of the one that made an object.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::unistd::ForkResult;

/// A page that the kernel clears in the child of every fork (Linux 4.14).
struct Page(&'static AtomicU64);

fn page() -> Option<&'static AtomicU64> {
    static PAGE: OnceLock<Option<Page>> = OnceLock::new();
    PAGE.get_or_init(map).as_ref().map(|page| page.0)
}

fn map() -> Option<Page> {
    const LENGTH: usize = 4096;
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: makes a new anonymous mapping, at an address that the kernel chooses.
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), LENGTH, protection, flags, -1, 0) };
    if mapped == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the mapping was made above, and has that length.
    if unsafe { libc::madvise(mapped, LENGTH, libc::MADV_WIPEONFORK) } != 0 {
        return None;
    }
    // SAFETY: the mapping is page-aligned, zeroed, never unmapped, and used only as this.
    Some(Page(unsafe { &*mapped.cast::<AtomicU64>() }))
}

/// Returns a number that differs between a process and all its forks, without a system call (on
/// kernels before 4.14: the process id).
pub(crate) fn generation() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let Some(page) = page() else { return u64::from(std::process::id()) };
    match page.load(Ordering::Relaxed) {
        0 => {
            // A fork copies the counter, and the child's counts on from there, so that parent and
            // child differ. Two children of one parent differ by the process id.
            let count = NEXT.fetch_add(1, Ordering::Relaxed) & u64::from(u32::MAX);
            let fresh = (u64::from(std::process::id()) << 32) | count;
            match page.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => fresh,
                Err(other) => other,
            }
        }
        known => known,
    }
}

/// Makes a child process that does this, and then exits without running what this process runs at its exit.
/// Fails if this process has several threads: the child would have only one, and locks that the others held.
pub(crate) fn child(work: impl FnOnce()) -> io::Result<()> {
    if std::fs::read_dir("/proc/self/task")?.count() > 1 {
        return Err(io::Error::other("this process has several threads"));
    }
    // SAFETY: there is no other thread.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => {
            let is_done = panic::catch_unwind(AssertUnwindSafe(work)).is_ok();
            // SAFETY: takes a number.
            unsafe { libc::_exit((!is_done).into()) }
        }
        ForkResult::Parent { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::generation;

    #[test]
    fn a_process_keeps_its_generation() {
        assert_eq!(generation(), generation());
        assert_ne!(generation(), 0);
    }
}
