//! What `subflows run` asked for, read once, when the library is loaded.

use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::{hold, next};

/// The file that receives a line for each connection.
const REPORT: &CStr = c"SUBFLOWS_RUN_REPORT";
const SOCKET: &CStr = c"SUBFLOWS_RUN_SOCKET";
const ENHANCED: &CStr = c"SUBFLOWS_RUN_ENHANCED";
const ONLY: &CStr = c"SUBFLOWS_RUN_ONLY";
const NOT: &CStr = c"SUBFLOWS_RUN_NOT";
const SERVER: &CStr = c"SUBFLOWS_RUN_SERVER";

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
const _: () = assert!(is_same(ONLY, subflows_run::ONLY));
const _: () = assert!(is_same(NOT, subflows_run::NOT));
const _: () = assert!(is_same(SERVER, subflows_run::SERVER));

/// A value of the environment, which lives as long as the process. Null without one.
type Setting = AtomicPtr<c_char>;

static REPORT_FILE: Setting = AtomicPtr::new(std::ptr::null_mut());
static AGENT: Setting = AtomicPtr::new(std::ptr::null_mut());
static IS_ENHANCED: AtomicBool = AtomicBool::new(false);
static ONLY_THESE: Setting = AtomicPtr::new(std::ptr::null_mut());
static NOT_THESE: Setting = AtomicPtr::new(std::ptr::null_mut());
static IS_SERVER: AtomicBool = AtomicBool::new(false);

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

/// Whether there are destinations that are connected to by TCP.
pub(crate) fn has_destinations() -> bool {
    !ONLY_THESE.load(Ordering::Relaxed).is_null() || !NOT_THESE.load(Ordering::Relaxed).is_null()
}

/// The destinations that are connected to by Multipath TCP. `None`: all.
pub(crate) fn only() -> Option<&'static str> {
    value(&ONLY_THESE).and_then(|list| list.to_str().ok())
}

/// The destinations that are connected to by TCP.
pub(crate) fn not() -> Option<&'static str> {
    value(&NOT_THESE).and_then(|list| list.to_str().ok())
}

/// Whether listening sockets are TCP sockets.
pub(crate) fn listens_by_tcp() -> bool {
    only().is_some() && !IS_SERVER.load(Ordering::Relaxed)
}

fn value(setting: &Setting) -> Option<&'static CStr> {
    let value = setting.load(Ordering::Relaxed);
    // SAFETY: it is null, or a copy that is never freed.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) })
}

extern "C" fn load(_: c_int, _: *const *const c_char, _: *const *const c_char) {
    next::look_up();
    let settings =
        [(REPORT, &REPORT_FILE), (SOCKET, &AGENT), (ONLY, &ONLY_THESE), (NOT, &NOT_THESE)];
    for (name, setting) in settings {
        // SAFETY: the name ends with a zero, and the program has not begun to change its environment.
        let value = unsafe { libc::getenv(name.as_ptr()) };
        if !value.is_null() {
            // The program may change its environment. SAFETY: it is a text that ends with a zero.
            setting.store(unsafe { libc::strdup(value) }, Ordering::Relaxed);
        }
    }
    if let Some(path) = agent() {
        hold::hold(path);
    }
    for (name, is_set) in [(ENHANCED, &IS_ENHANCED), (SERVER, &IS_SERVER)] {
        // SAFETY: as above.
        let value = unsafe { libc::getenv(name.as_ptr()) };
        is_set.store(!value.is_null(), Ordering::Relaxed);
    }
}

/// Called by the dynamic linker before the program begins.
#[used]
#[unsafe(link_section = ".init_array")]
static LOAD: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = load;
