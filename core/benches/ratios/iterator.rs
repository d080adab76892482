//! An iterator over TCP sockets (`iter/tcp`) with bare system calls.

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A program that does nothing.
pub struct Empty(OwnedFd);

impl Empty {
    pub fn load() -> Empty {
        /// `r0 = 0; exit`.
        const PROGRAM: [u64; 2] = [0xb7, 0x95];
        let license = b"\0";
        // `union bpf_attr` of PROG_LOAD, in words of 64 bits.
        let mut attributes = [0u64; 16];
        attributes[0] = 26 | ((PROGRAM.len() as u64) << 32);
        attributes[1] = PROGRAM.as_ptr() as u64;
        attributes[2] = license.as_ptr() as u64;
        attributes[8] = 28 << 32;
        attributes[13] = u64::from(function()) << 32;
        Empty(bpf(5, &mut attributes))
    }

    /// Walks every TCP socket of the namespace.
    pub fn walk(&self) {
        let link = bpf(28, &mut [self.0.as_raw_fd() as u64, 28]);
        let iterator = bpf(33, &mut [link.as_raw_fd() as u64]);
        let mut byte = 0u8;
        // SAFETY: the pointer and the length describe `byte`.
        let read = unsafe { libc::read(iterator.as_raw_fd(), (&raw mut byte).cast(), 1) };
        assert_eq!(read, 0, "{}", std::io::Error::last_os_error());
    }
}

fn bpf(command: i32, attributes: &mut [u64]) -> OwnedFd {
    let (pointer, length) = (attributes.as_mut_ptr(), size_of_val(attributes));
    // SAFETY: the pointer and the length describe the attributes, and the addresses in them are valid.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, length) };
    assert!(fd >= 0, "bpf({command}): {}", std::io::Error::last_os_error());
    // SAFETY: the kernel has just made this descriptor.
    unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
}

/// The number of the function `bpf_iter_tcp` in the kernel's description of its types.
fn function() -> u32 {
    let bytes = fs::read("/sys/kernel/btf/vmlinux").expect("types");
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("a word"));
    let (types, names) = ((word(4) + word(8)) as usize, (word(4) + word(16)) as usize);
    let mut at = types;
    for number in 1.. {
        let (name, kind, count) =
            (word(at) as usize, word(at + 4) >> 24 & 31, word(at + 4) & 0xffff);
        if kind == 12 && bytes[names + name..].starts_with(b"bpf_iter_tcp\0") {
            return number;
        }
        at += 12
            + match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                6 | 13 => 8 * count as usize,
                4 | 5 | 15 | 19 => 12 * count as usize,
                _ => 0,
            };
    }
    unreachable!()
}
