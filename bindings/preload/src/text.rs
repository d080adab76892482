//! Memory for a report, which the stack of a signal handler has no room for: its text, and what is read for it.

use std::fmt;
use std::ptr::NonNull;

use subflows::bare::Scratch;

use crate::kernel::ANSWER;

/// The room for a text. What does not fit is cut off: enough for eight paths with addresses of IPv6.
const ROOM: usize = 4096;

/// What a report needs. Any bytes are a valid value of each member.
#[repr(C)]
pub(crate) struct Memory {
    pub(crate) text: Text,
    pub(crate) scratch: Scratch,
    pub(crate) answer: [u8; ANSWER],
}

/// A text of at most `ROOM` bytes.
#[repr(C)]
pub(crate) struct Text {
    length: usize,
    bytes: [u8; ROOM],
}

/// Pages of memory of its own.
pub(crate) struct Pages(NonNull<Memory>);

impl Pages {
    /// `None` if there is no memory.
    pub(crate) fn new() -> Option<Pages> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let (kind, size) = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, size_of::<Memory>());
        // SAFETY: the kernel chooses the place.
        let place = unsafe { libc::mmap(std::ptr::null_mut(), size, access, kind, -1, 0) };
        if place == libc::MAP_FAILED { None } else { NonNull::new(place.cast()).map(Pages) }
    }

    pub(crate) fn memory(&mut self) -> &mut Memory {
        // SAFETY: the pages are this value's, aligned, long enough and zeroed, which is a valid value.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the pages are this value's, and nothing refers to them any more.
        unsafe { libc::munmap(self.0.as_ptr().cast(), size_of::<Memory>()) };
    }
}

impl Text {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn is_full(&self) -> bool {
        self.length == ROOM
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let length = text.len().min(ROOM - self.length);
        self.bytes[self.length..][..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length += length;
        Ok(())
    }
}
