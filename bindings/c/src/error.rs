//! What failed last in a thread, and the names of error kinds.

use std::ffi::{CStr, CString};
use std::ptr::null;

use subflows::ErrorKind;

use crate::convert::{CStruct, StringArena};
use crate::last_error::{LastError, c_text, last_error};
use crate::prelude::*;

/// Reports what failed last in this thread.
///
/// Fills `error`, of `size` bytes. Returns 0, or SUBFLOWS_E_INVALID_ARGUMENT (negative) if `error`
/// is NULL. If nothing has failed yet, and in the last moments of a thread that ends, every member
/// is zero or NULL. A call that succeeds does not change the last failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_last_error(error: *mut subflows_error, size: usize) -> c_int {
    guard("last_error", || {
        // SAFETY: `error` has `size` bytes.
        let mut out = Some(unsafe { Out::new(error, size) }?);
        Ok(last_error(|last| out.take().map_or(0, |out| out.fill(&last))))
    })
}

impl CStruct<Option<&LastError>> for subflows_error {
    fn from_record(last: &Option<&LastError>, _: &mut StringArena) -> Self {
        let text = |text: &dyn Fn(&LastError) -> *const c_char| last.map_or(null(), text);
        let maybe = |text: &Option<CString>| text.as_ref().map_or(null(), |text| text.as_ptr());
        subflows_error {
            present: 0,
            operation: text(&|last| last.operation.as_ptr()),
            message: text(&|last| last.message.as_ptr()),
            remedy: text(&|last| last.remedy.as_ptr()),
            detail: text(&|last| maybe(&last.detail)),
            kernel_text: text(&|last| maybe(&last.kernel_text)),
            kind: last.map_or(0, |last| last.code),
            number: last.map_or(0, |last| last.number),
        }
    }
}

/// Returns the name of an error kind, positive or negative: "NotReady" for SUBFLOWS_E_NOT_READY.
///
/// Never NULL: "Unknown" for a number of a later version, and "Ok" for 0. The text is constant.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_error_name(kind: c_int) -> *const c_char {
    static NAMES: std::sync::OnceLock<Vec<(c_int, CString)>> = std::sync::OnceLock::new();
    let names = NAMES.get_or_init(|| {
        ErrorKind::ALL.iter().map(|kind| (kind.code(), c_text(kind.name()))).collect()
    });
    let name: &CStr = match kind.saturating_abs() {
        0 => c"Ok",
        255 => c"Panic",
        code => names.iter().find(|(known, _)| *known == code).map_or(c"Unknown", |(_, name)| name),
    };
    name.as_ptr()
}
