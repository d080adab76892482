//! Types that the kernel may fill with any bytes.

use super::uapi;

/// A type that the kernel may fill with any bytes, and that may be read byte by byte.
///
/// # Safety
/// Every bit pattern is a value of the type.
pub(crate) unsafe trait Plain: Copy {}
// SAFETY: integers have no invalid bit pattern.
unsafe impl Plain for i32 {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: integers only.
unsafe impl Plain for uapi::mptcp_info {}
// SAFETY: integers only.
unsafe impl Plain for uapi::tcp_info {}
// SAFETY: integers only.
unsafe impl Plain for libc::linger {}
// SAFETY: integers only.
unsafe impl Plain for libc::timeval {}
// SAFETY: integers and arrays of them.
unsafe impl<const N: usize> Plain for [u8; N] {}

/// Fills a value from the front of `bytes`. If they are too few, the rest of the value stays as it
/// was: an older kernel writes less of a structure.
pub(crate) fn read_prefix<T: Plain>(bytes: &[u8], value: &mut T) {
    let length = bytes.len().min(size_of::<T>());
    let pointer: *mut T = value;
    // SAFETY: `length` fits both, they do not overlap (one is behind a mutable borrow), and any
    // bytes are a valid `T` (`Plain`).
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pointer.cast::<u8>(), length) };
}

/// Returns the bytes of a value.
pub(crate) fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    let pointer: *const T = value;
    // SAFETY: a `Plain` value may be read byte by byte, and it is borrowed for as long as the bytes.
    unsafe { std::slice::from_raw_parts(pointer.cast(), size_of::<T>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_bytes_leave_the_rest_of_the_value() {
        let mut value = u32::MAX.to_ne_bytes();
        read_prefix(&[1, 2], &mut value);
        assert_eq!(value, [1, 2, 255, 255]);
        read_prefix(&[3, 4, 5, 6, 7], &mut value);
        assert_eq!(value, [3, 4, 5, 6]);
    }
}
