//! The capabilities of the calling thread.

/// `CAP_SYS_ADMIN`, which includes the two others.
const SYS_ADMIN: u32 = 21;
/// `CAP_PERFMON`.
pub(crate) const PERFMON: u32 = 38;
/// `CAP_BPF`.
pub(crate) const BPF: u32 = 39;

/// Reports whether the thread has that capability, or `CAP_SYS_ADMIN`, over its own user namespace.
pub(crate) fn has_or_is_admin(capability: u32) -> bool {
    #[repr(C)]
    struct Header {
        version: u32,
        thread: i32,
    }
    /// `struct __user_cap_data_struct`, for the lower and for the higher 32 capabilities.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    /// `_LINUX_CAPABILITY_VERSION_3`.
    const VERSION: u32 = 0x2008_0522;
    let mut header = Header { version: VERSION, thread: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: the two addresses are those of the header and of as much data as its version has.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    let has = |number: u32| data[number as usize / 32].effective & (1 << (number % 32)) != 0;
    result == 0 && (has(capability) || has(SYS_ADMIN))
}
