//! The border: what C passes is checked here, and nothing of Rust's crosses it.

use std::ffi::{c_int, c_void};
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use crate::cancel::uncancelled;
use crate::convert::{FromC, Mirror, Words};
use crate::failure::Failure;
use crate::last_error::remember;

/// The largest struct that is believed: far above any of ours, and far below what a negative number
/// looks like as a size.
const LARGEST: usize = 64 * 1024;

/// Runs an entry: its number, or the negative number of its failure, which is remembered. The
/// calling thread is not cancelled meanwhile.
pub(crate) fn guard(
    operation: &'static str,
    entry: impl FnOnce() -> Result<c_int, Failure>,
) -> c_int {
    let mut entry = Some(entry);
    let mut once = || entry.take().map_or(Err(Failure::Panic), |entry| entry());
    run(operation, &mut once)
}

/// The same code for every entry, of which there are many.
fn run(operation: &'static str, entry: &mut dyn FnMut() -> Result<c_int, Failure>) -> c_int {
    uncancelled(|| match catch_unwind(AssertUnwindSafe(entry)) {
        Ok(Ok(number)) => number,
        Ok(Err(failure)) => remember(operation, failure),
        Err(_) => remember(operation, Failure::Panic),
    })
}

/// The descriptor that C passed, for the time of the call.
pub(crate) fn socket<'call>(fd: c_int) -> Result<BorrowedFd<'call>, Failure> {
    if fd < 0 {
        return Err(Failure::argument(format!("{fd} is no file descriptor")));
    }
    // SAFETY: it is not -1. That it stays open during the call is the caller's promise; where it is
    // not even open now, the first system call says so.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Fills a struct of the caller's: as much as both know, zeroes for what we do not.
///
/// # Safety
/// `out` is null or leads to `size` bytes that may be written.
pub(crate) unsafe fn fill<R, M: Mirror<R>>(
    out: *mut M,
    size: usize,
    record: &R,
) -> Result<(), Failure> {
    check_size(out, size)?;
    // SAFETY: the caller's promise; it is not null.
    unsafe { put(out.cast(), size, &mirror::<R, M>(record)) };
    Ok(())
}

/// As [`fill`], for a record with texts: they live in `words`.
///
/// # Safety
/// As [`fill`].
pub(crate) unsafe fn fill_with_words<R, M: Mirror<R>>(
    out: *mut M,
    size: usize,
    record: &R,
    words: &mut Words,
) -> Result<(), Failure> {
    check_size(out, size)?;
    words.clear();
    // SAFETY: the caller's promise; it is not null.
    unsafe { put(out.cast(), size, &M::mirror(record, words)) };
    Ok(())
}

/// The mirror image of a record without texts.
fn mirror<R, M: Mirror<R>>(record: &R) -> M {
    let mut words = Words::default();
    let image = M::mirror(record, &mut words);
    // The texts would be gone by now: such a record is filled with words.
    assert!(words.is_empty(), "a record with texts needs an owner for them");
    image
}

/// Whether a struct of that size would end in the middle of a member: no compiler's `sizeof` says so.
/// Half a pointer must not be followed.
fn is_cut<M>(size: usize) -> bool {
    size % align_of::<M>() != 0
}

/// Whether a struct of that size can be filled at all: before anything is done.
pub(crate) fn check_size<M>(out: *mut M, size: usize) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::argument("the pointer to the result is NULL"));
    }
    // The presence word is the least that says something.
    if !(size_of::<u64>()..=LARGEST).contains(&size) || is_cut::<M>(size) {
        return Err(Failure::argument(format!("{size} is no size of this struct")));
    }
    Ok(())
}

/// Fills an array of the caller's, element by element, as far as there is room.
///
/// # Safety
/// `out` leads to `room` elements of `size` bytes that may be written, or is null with `room` 0.
pub(crate) unsafe fn fill_array<R, M: Mirror<R>>(
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
        unsafe { put(element, size, &mirror::<R, M>(record)) };
    }
    Ok(c_int::try_from(records.len()).unwrap_or(c_int::MAX))
}

/// # Safety
/// `out` leads to `size` bytes that may be written.
unsafe fn put<M: Copy>(out: *mut u8, size: usize, value: &M) {
    let known = size.min(size_of::<M>());
    let from: *const M = value;
    // SAFETY: `known` fits both; a mirror has no padding, and `value` is ours.
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

/// Hands out a handle.
///
/// # Safety
/// `out` is null or leads to a pointer that may be written.
pub(crate) unsafe fn hand_out<T>(out: *mut *mut T, value: T) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::argument("the pointer to the handle is NULL"));
    }
    // SAFETY: the caller's promise; it is not null.
    unsafe { out.write(Box::into_raw(Box::new(value))) };
    Ok(())
}

/// Borrows a handle.
///
/// # Safety
/// `handle` is null or came from [`hand_out`], is not closed, and no other thread uses it now.
pub(crate) unsafe fn handle<'call, T>(handle: *mut T) -> Result<&'call mut T, Failure> {
    // SAFETY: the caller's promise.
    unsafe { handle.as_mut() }.ok_or_else(|| Failure::argument("the handle is NULL"))
}

/// Takes a handle back; NULL is nothing.
///
/// # Safety
/// As [`handle`]; it is not used after this.
pub(crate) unsafe fn take_back<T>(handle: *mut T) -> Option<Box<T>> {
    let is_one = !handle.cast::<c_void>().is_null();
    // SAFETY: it came from `Box::into_raw`, by the caller's promise.
    is_one.then(|| unsafe { Box::from_raw(handle) })
}
