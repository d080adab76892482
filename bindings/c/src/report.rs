//! Failures that are copied to the caller, for the functions whose names end in `_e`.
//!
//! A thread that is cancelled in `subflows_events_next_e` leaves that function's frame by unwinding,
//! so neither a [`Sink`] nor the error of [`sink`] owns anything.

use std::ffi::{CStr, CString, c_char, c_int};

use crate::convert::{CStruct, StringArena};
use crate::guard::guard;
use crate::last_error::{LastError, last_error};
use crate::mirror::subflows_failure;
use crate::structs::Out;

/// The bits of `subflows_failure::present`.
const NUMBER: u64 = crate::mirror::SUBFLOWS_FAILURE_HAS_NUMBER;
const DETAIL: u64 = crate::mirror::SUBFLOWS_FAILURE_HAS_DETAIL;
const KERNEL_TEXT: u64 = crate::mirror::SUBFLOWS_FAILURE_HAS_KERNEL_TEXT;

/// Where the caller wants the failure; `None` for NULL.
pub(crate) type Sink<'call> = Option<Out<'call, subflows_failure>>;

/// Checks where the caller wants the failure before anything is done. An error is the number that the
/// entry returns.
///
/// # Safety
/// `failure` is NULL or points to `size` bytes that may be written until the sink is dropped.
// Compiled once, not into each entry.
#[inline(never)]
pub(crate) unsafe fn sink<'call>(
    operation: &'static str,
    failure: *mut subflows_failure,
    size: usize,
) -> Result<Sink<'call>, c_int> {
    let mut sink = None;
    let checked = guard(operation, || {
        // SAFETY: the caller's promise.
        sink = unsafe { Out::if_wanted(failure, size) }?;
        Ok(())
    });
    if checked < 0 { Err(checked) } else { Ok(sink) }
}

/// Fills the sink by the result of a call that this thread has just made, and returns the result.
#[inline(never)]
pub(crate) fn reported(sink: Sink<'_>, result: c_int) -> c_int {
    let Some(sink) = sink else { return result };
    let mut sink = Some(sink);
    guard("last_error", || {
        last_error(|last| {
            let last = last.filter(|last| last.code == -result);
            sink.take().map(|sink| sink.fill(&failure(result, last)));
        });
        Ok(result)
    })
}

/// A thread that is ending no longer keeps its failures: `last` is `None` then, and only the kind is
/// known.
fn failure(result: c_int, last: Option<&LastError>) -> subflows_failure {
    // SAFETY: it consists of integers and arrays of integers, which may be zero.
    let mut failure: subflows_failure = unsafe { std::mem::zeroed() };
    failure.kind = result.min(0).saturating_neg();
    let Some(last) = last else { return failure };
    let bit = |bit: u64, is_set: bool| if is_set { bit } else { 0 };
    failure.present = bit(NUMBER, last.number != 0)
        | bit(DETAIL, last.detail.is_some())
        | bit(KERNEL_TEXT, last.kernel_text.is_some());
    failure.number = last.number;
    copy(&last.operation, &mut failure.operation);
    copy(&last.message, &mut failure.message);
    copy(&last.remedy, &mut failure.remedy);
    let maybe = |text: &Option<CString>, room: &mut [c_char]| {
        text.iter().for_each(|text| copy(text, room));
    };
    maybe(&last.detail, &mut failure.detail);
    maybe(&last.kernel_text, &mut failure.kernel_text);
    failure
}

/// Copies as many whole characters as there is room for. The room is zero before, and its last byte
/// stays zero.
fn copy(text: &CStr, room: &mut [c_char]) {
    let text = text.to_str().unwrap_or_default();
    let mut length = text.len().min(room.len().saturating_sub(1));
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    for (to, from) in room.iter_mut().zip(&text.as_bytes()[..length]) {
        *to = *from as c_char;
    }
}

impl CStruct<subflows_failure> for subflows_failure {
    fn from_record(record: &subflows_failure, _: &mut StringArena) -> Self {
        *record
    }
}
