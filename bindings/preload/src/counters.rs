//! Option 45 of the patched kernels: counters of the connection and of its subflows, which the agent reads, in the memory of
//! the program that the option's structure refers to.

use std::ffi::{c_int, c_void};

use libc::{EFAULT, EINVAL};
use subflows_enhanced::layout::{LegacyInfo, SUB_INFO};
use subflows_run::{LONG_VALUE, Value};

use crate::memory;

/// More subflows than a connection has.
const PARTS: u32 = 256;

/// Fills in as much as there is room for, whole subflows only, and writes the lengths. `ask` returns a part: that of the
/// connection, then that of each subflow, with its addresses in front. The first part is that of the connection.
pub(crate) fn get(
    value: *mut c_void,
    size: usize,
    ask: impl Fn(u32, u32) -> Result<Value<LONG_VALUE>, c_int>,
) -> Result<(), c_int> {
    const SIZE: usize = size_of::<LegacyInfo>();
    let mut bytes = [0u8; SIZE];
    if size < SIZE {
        return Err(EINVAL);
    }
    if !memory::read(value, &mut bytes) {
        return Err(EFAULT);
    }
    // SAFETY: there are as many bytes, and any are a valid value.
    let mut info = unsafe { bytes.as_ptr().cast::<LegacyInfo>().read_unaligned() };
    let (room, addresses_room) = (info.sub_len as usize, info.total_sub_info_len as usize);
    let length = info.tcp_info_len;
    let each = (info.sub_info_len as usize).min(SUB_INFO);
    let meta = ask(0, length)?;
    info.meta_len = fill(info.meta_info, 0, info.meta_len as usize, meta.bytes())?;
    info.tcp_info_len = 0;
    let (mut counters_end, mut addresses_end) = (0, 0);
    for part in 1..PARTS {
        let value = ask(part, length)?;
        let Some((ends, tcp)) = value.bytes().split_at_checked(SUB_INFO) else { break };
        if part == 1 {
            info.tcp_info_len = tcp.len() as u32;
            fill(info.initial, 0, length as usize, tcp)?;
        }
        if counters_end + tcp.len() <= room {
            counters_end += fill(info.subflows, counters_end, tcp.len(), tcp)? as usize;
        }
        if addresses_end + each <= addresses_room {
            addresses_end += fill(info.subflow_info, addresses_end, each, ends)? as usize;
        }
    }
    let lengths =
        [info.tcp_info_len, counters_end as u32, info.meta_len, each as u32, addresses_end as u32];
    for (place, length) in bytes.chunks_exact_mut(4).zip(lengths) {
        place.copy_from_slice(&length.to_ne_bytes());
    }
    memory::write(value, &bytes).then_some(()).ok_or(EFAULT)
}

/// Writes what there is room for behind `start`, and returns how much that is: nothing for a null pointer.
fn fill(to: *mut u8, start: usize, room: usize, bytes: &[u8]) -> Result<u32, c_int> {
    let length = if to.is_null() { 0 } else { room.min(bytes.len()) };
    let place = to.wrapping_add(start).cast();
    memory::write(place, &bytes[..length]).then_some(length as u32).ok_or(EFAULT)
}
