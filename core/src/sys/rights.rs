//! The capabilities of the calling thread.

/// `CAP_NET_ADMIN`.
pub(crate) const NET_ADMIN: u32 = 12;
/// `CAP_SYS_ADMIN`, which includes the two below.
const SYS_ADMIN: u32 = 21;
/// `CAP_PERFMON`.
pub(crate) const PERFMON: u32 = 38;
/// `CAP_BPF`.
pub(crate) const BPF: u32 = 39;

/// Reports whether the thread has that capability, or `CAP_SYS_ADMIN`, over its own user namespace.
pub(crate) fn has_or_is_admin(capability: u32) -> bool {
    let effective = effective();
    effective & (1 << capability | 1 << SYS_ADMIN) != 0
}

/// Reports whether the thread has that capability over its own user namespace.
pub(crate) fn has(capability: u32) -> bool {
    effective() & (1 << capability) != 0
}

/// Returns the thread's capabilities, a bit each. None if the kernel does not report them.
fn effective() -> u64 {
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
    match result {
        0 => u64::from(data[0].effective) | u64::from(data[1].effective) << 32,
        _ => 0,
    }
}
