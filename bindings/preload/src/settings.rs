//! What `subflows run` asked for, read once, when the library is loaded.

use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::{next, report};

/// The file that receives a line for each connection.
const REPORT: &CStr = c"SUBFLOWS_RUN_REPORT";
const SOCKET: &CStr = c"SUBFLOWS_RUN_SOCKET";
const ENHANCED: &CStr = c"SUBFLOWS_RUN_ENHANCED";

/// The names are those of `subflows_run`, as C has them.
const fn is_same(here: &CStr, there: &str) -> bool {
    let (here, there) = (here.to_bytes(), there.as_bytes());
    let mut index = 0;
    while index < here.len() && index < there.len() && here[index] == there[index] {
        index += 1;
    }
    index == here.len() && index == there.len()
}
const _: () = assert!(is_same(REPORT, subflows_run::REPORT));
const _: () = assert!(is_same(SOCKET, subflows_run::VARIABLE));
const _: () = assert!(is_same(ENHANCED, subflows_run::ENHANCED));

/// A value of the environment, which lives as long as the process. Null without one.
type Setting = AtomicPtr<c_char>;

static REPORT_FILE: Setting = AtomicPtr::new(std::ptr::null_mut());
static AGENT: Setting = AtomicPtr::new(std::ptr::null_mut());
static IS_ENHANCED: AtomicBool = AtomicBool::new(false);

/// The file of the report.
pub(crate) fn report_file() -> Option<&'static CStr> {
    value(&REPORT_FILE)
}

/// The socket of `subflows run`, if it acts for the program.
pub(crate) fn agent() -> Option<&'static CStr> {
    value(&AGENT)
}

/// The same, if the program uses the enhanced socket API.
pub(crate) fn enhanced() -> Option<&'static CStr> {
    agent().filter(|_| IS_ENHANCED.load(Ordering::Relaxed))
}

fn value(setting: &Setting) -> Option<&'static CStr> {
    let value = setting.load(Ordering::Relaxed);
    // SAFETY: it is null, or a copy that is never freed.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

extern "C" fn load(_: c_int, _: *const *const c_char, _: *const *const c_char) {
    next::look_up();
    for (name, setting) in [(REPORT, &REPORT_FILE), (SOCKET, &AGENT)] {
        // SAFETY: the name ends with a zero, and the program has not begun to change its environment.
        let value = unsafe { libc::getenv(name.as_ptr()) };
        if !value.is_null() {
            // The program may change its environment. SAFETY: it is a text that ends with a zero.
            setting.store(unsafe { libc::strdup(value) }, Ordering::Relaxed);
        }
    }
    // SAFETY: as above.
    let enhanced = unsafe { libc::getenv(ENHANCED.as_ptr()) };
    IS_ENHANCED.store(!enhanced.is_null(), Ordering::Relaxed);
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
