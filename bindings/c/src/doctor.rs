//! Why is there no second subflow, and why TCP?

use std::cell::RefCell;

use subflows::{Doctor, Finding};

use crate::convert::{StringArena, with_strings};
use crate::prelude::*;

thread_local! {
    /// The texts of what the thread found last.
    static TEXTS: RefCell<StringArena> = RefCell::default();
}

/// Fills at most `room` elements of `finding_size` bytes at `findings`, and returns how many findings there are, or a
/// negative error. 64 elements are always enough. The texts stay valid until the next call of this function or
/// of subflows_diagnose() in the same thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_doctor(
    options: *const subflows_doctor_options,
    size: usize,
    findings: *mut subflows_finding,
    room: usize,
    finding_size: usize,
) -> c_int {
    guard("doctor", || {
        // SAFETY: `options` has `size` bytes.
        let options: Doctor = unsafe { read(options, size) }?;
        // SAFETY: `findings` has `room` elements of `finding_size` bytes.
        let out = unsafe { Out::array(findings, room, finding_size) }?;
        fill(out, &subflows::doctor(&options)?)
    })
}

/// Fills at most `room` elements of `size` bytes at `findings`, and returns how many findings there are, or a
/// negative error. 64 elements are always enough. The texts stay valid until the next call of this function or
/// of subflows_doctor() in the same thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_diagnose(
    fd: c_int,
    findings: *mut subflows_finding,
    room: usize,
    size: usize,
) -> c_int {
    guard("diagnose", || {
        let sock = socket(fd)?;
        // SAFETY: `findings` has `room` elements of `size` bytes.
        let out = unsafe { Out::array(findings, room, size) }?;
        fill(out, &subflows::diagnose(&sock)?)
    })
}

fn fill(out: Out<'_, subflows_finding>, found: &[Finding]) -> Result<c_int, Failure> {
    with_strings(&TEXTS, |texts| out.fill_all_with_strings(found, texts))
}
