//! The caller's structs: records are filled, options are read, each as far as both sides know it.
//!
//! The caller passes the size that its compiler saw, which may be that of an older or a newer
//! header.

use std::ffi::c_int;
use std::ptr::NonNull;

use crate::convert::{CStruct, FromC, StringArena};
use crate::failure::Failure;

/// The largest size that is accepted: far above that of any struct of this library, and far below
/// what a negative number looks like as a size.
const LARGEST: usize = 64 * 1024;

/// Fills a struct of the caller's. Members that only the caller knows become zero.
///
/// # Safety
/// `out` is null or leads to `size` bytes that may be written.
pub(crate) unsafe fn fill<R, M: CStruct<R>>(
    out: *mut M,
    size: usize,
    record: &R,
) -> Result<(), Failure> {
    check_size(out, size)?;
    // SAFETY: the caller's promise; it is not null.
    unsafe { put(out.cast(), size, &without_strings::<R, M>(record)) };
    Ok(())
}

/// As [`fill`], for a record with texts, which are kept in `strings`.
///
/// # Safety
/// As [`fill`].
pub(crate) unsafe fn fill_with_strings<R, M: CStruct<R>>(
    out: *mut M,
    size: usize,
    record: &R,
    strings: &mut StringArena,
) -> Result<(), Failure> {
    check_size(out, size)?;
    strings.clear();
    // SAFETY: the caller's promise; it is not null.
    unsafe { put(out.cast(), size, &M::from_record(record, strings)) };
    Ok(())
}

/// The C struct of a record without texts.
fn without_strings<R, M: CStruct<R>>(record: &R) -> M {
    let mut strings = StringArena::default();
    let filled = M::from_record(record, &mut strings);
    // The arena ends here: a record with texts needs `fill_with_strings`.
    assert!(strings.is_empty(), "a record with texts needs an owner for them");
    filled
}

/// Whether a struct of that size ends in the middle of a member, which no `sizeof` returns. Half a
/// pointer must not be followed.
fn is_cut<M>(size: usize) -> bool {
    size % align_of::<M>() != 0
}

/// Whether a struct of that size can be filled at all: before anything is done.
pub(crate) fn check_size<M>(out: *mut M, size: usize) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::argument("the pointer to the result is NULL"));
    }
    // The smallest struct that reports anything is the presence word.
    if !(size_of::<u64>()..=LARGEST).contains(&size) || is_cut::<M>(size) {
        return Err(Failure::argument(format!("{size} is no size of this struct")));
    }
    Ok(())
}

/// Fills an array of the caller's, element by element, as far as there is room.
///
/// # Safety
/// `out` leads to `room` elements of `size` bytes that may be written, or is null with `room` 0.
pub(crate) unsafe fn fill_array<R, M: CStruct<R>>(
    out: *mut M,
    room: usize,
    size: usize,
    records: &[R],
) -> Result<c_int, Failure> {
    if room > 0 {
        check_size(out, size)?;
    }
    for (index, record) in records.iter().take(room).enumerate() {
        // SAFETY: `index` is less than `room`, which the caller promises.
        let element = unsafe { out.cast::<u8>().add(index * size) };
        // SAFETY: as above.
        unsafe { put(element, size, &without_strings::<R, M>(record)) };
    }
    Ok(c_int::try_from(records.len()).unwrap_or(c_int::MAX))
}

/// # Safety
/// `out` leads to `size` bytes that may be written.
unsafe fn put<M: Copy>(out: *mut u8, size: usize, value: &M) {
    let known = size.min(size_of::<M>());
    let from: *const M = value;
    // SAFETY: `known` fits both; a C struct of `mirror.rs` has no padding, and `value` is ours.
    unsafe { std::ptr::copy_nonoverlapping(from.cast::<u8>(), out, known) };
    // SAFETY: `known` is at most `size`.
    let rest = unsafe { out.add(known) };
    // SAFETY: `rest` is followed by as many bytes of the caller's.
    unsafe { std::ptr::write_bytes(rest, 0, size - known) };
}

/// Reads an options struct; NULL stands for the defaults, and what is missing is zero.
///
/// # Safety
/// `options` is null or leads to `size` bytes that may be read, and so do the pointers in it.
pub(crate) unsafe fn read<O: Default, C: FromC<O> + Copy>(
    options: *const C,
    size: usize,
) -> Result<O, Failure> {
    let Some(given) = NonNull::new(options.cast_mut()) else { return Ok(O::default()) };
    if size > LARGEST || is_cut::<C>(size) {
        return Err(Failure::argument(format!("{size} is no size of an options struct")));
    }
    // SAFETY: that many bytes may be read, by the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(given.as_ptr().cast::<u8>(), size) };
    let known = size.min(size_of::<C>());
    if bytes[known..].iter().any(|byte| *byte != 0) {
        return Err(Failure::argument("an option is set that this version does not know")
            .with_remedy("Leave it zero, or use the library that the program was built with."));
    }
    // SAFETY: an options struct consists of integers, flags of one byte and pointers: all of them
    // may be zero.
    let mut copy: C = unsafe { std::mem::zeroed() };
    let into: *mut C = &mut copy;
    // SAFETY: `known` fits both; any bytes are a valid options struct: a flag is a byte.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), into.cast::<u8>(), known) };
    copy.read()
}
