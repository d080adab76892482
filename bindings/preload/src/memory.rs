//! Memory of the program behind pointers that nothing has checked yet: a wrong one is `EFAULT`, as it is in the kernel.

use std::ffi::c_void;

/// Copies from the program's memory. Returns whether all of it could be read.
pub(crate) fn read(from: *const c_void, to: &mut [u8]) -> bool {
    let local = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
    let remote = libc::iovec { iov_base: from.cast_mut(), iov_len: to.len() };
    copied(libc::SYS_process_vm_readv, &local, &remote)
}

/// Copies into the program's memory. Returns whether all of it could be written.
pub(crate) fn write(to: *mut c_void, from: &[u8]) -> bool {
    let local = libc::iovec { iov_base: from.as_ptr().cast_mut().cast(), iov_len: from.len() };
    let remote = libc::iovec { iov_base: to, iov_len: from.len() };
    copied(libc::SYS_process_vm_writev, &local, &remote)
}

fn copied(call: libc::c_long, local: &libc::iovec, remote: &libc::iovec) -> bool {
    if local.iov_len == 0 {
        return true;
    }
    // SAFETY: no pointer is passed.
    let this = unsafe { libc::getpid() };
    let (local, length): (*const libc::iovec, _) = (local, local.iov_len);
    let remote: *const libc::iovec = remote;
    // SAFETY: both describe as many bytes, the local one valid ones; the kernel checks the others.
    let done = unsafe { libc::syscall(call, this, local, 1usize, remote, 1usize, 0usize) };
    usize::try_from(done) == Ok(length)
}

/// Reads a number.
pub(crate) fn number(from: *const c_void) -> Option<i32> {
    let mut bytes = [0; 4];
    read(from, &mut bytes).then(|| i32::from_ne_bytes(bytes))
}
