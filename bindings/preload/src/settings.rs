//! What `subflows run` asked for, read once, when the library is loaded.

use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::{next, report};

/// The file that receives a line for each connection.
const REPORT: &CStr = c"SUBFLOWS_RUN_REPORT";

/// The value in the environment, which lives as long as the process. Null without a report.
static REPORT_FILE: AtomicPtr<c_char> = AtomicPtr::new(std::ptr::null_mut());

/// The file of the report.
pub(crate) fn report_file() -> Option<&'static CStr> {
    let path = REPORT_FILE.load(Ordering::Relaxed);
    // SAFETY: it is null, or a copy that is never freed.
    (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) })
}

extern "C" fn load(_: c_int, _: *const *const c_char, _: *const *const c_char) {
    next::look_up();
    // SAFETY: the name ends with a zero, and the program has not begun to change its environment.
    let value = unsafe { libc::getenv(REPORT.as_ptr()) };
    if !value.is_null() {
        // The program may change its environment. SAFETY: it is a text that ends with a zero.
        REPORT_FILE.store(unsafe { libc::strdup(value) }, Ordering::Relaxed);
    }
}

extern "C" fn unload() {
    if let Some(file) = report_file() {
        report::all(file);
    }
}

/// Called by the dynamic linker at exit(3).
#[used]
#[unsafe(link_section = ".fini_array")]
static UNLOAD: extern "C" fn() = unload;

/// Called by the dynamic linker before the program begins.
#[used]
#[unsafe(link_section = ".init_array")]
static LOAD: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = load;
