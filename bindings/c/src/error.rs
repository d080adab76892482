//! What failed, kept per thread until the next failure.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::fmt::Display;
use std::ptr::null;

use subflows::{Error, ErrorKind};

use crate::convert::{Mirror, Words};
use crate::guard::{fill, guard};
use crate::mirror::{subflows_error, subflows_error_kind};

/// Why a call fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Core's verb did.
    Core(Error),
    /// What C passed makes no sense.
    Argument(String, Option<&'static str>),
    /// The handle is in the wrong state for this.
    State(&'static str),
    /// A bug of ours.
    Panic,
}

impl Failure {
    pub(crate) fn argument(detail: impl Into<String>) -> Failure {
        Failure::Argument(detail.into(), None)
    }

    pub(crate) fn with_remedy(self, remedy: &'static str) -> Failure {
        match self {
            Failure::Argument(detail, _) => Failure::Argument(detail, Some(remedy)),
            other => other,
        }
    }

    /// Refuses what must be zero until it means something.
    pub(crate) fn unless_zero(bytes: &[u8], name: &str) -> Result<(), Failure> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        Err(Failure::argument(format!("`{name}` is not zero"))
            .with_remedy("Start every options struct from zero: struct … options = {0};"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Core(error)
    }
}

/// The last failure of this thread, as C asks for it.
struct Last {
    code: c_int,
    number: c_int,
    operation: CString,
    message: CString,
    detail: Option<CString>,
    kernel: Option<CString>,
    remedy: CString,
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// Keeps a failure; gives the number that the entry returns.
pub(crate) fn remember(operation: &'static str, failure: Failure) -> c_int {
    let last = match failure {
        Failure::Core(error) => Last {
            code: error.kind().code(),
            number: error.raw_os_error().unwrap_or(0),
            operation: c_text(error.operation()),
            message: c_text(format!("{error:#}")),
            detail: error.detail_text().map(c_text),
            kernel: error.kernel_text().map(c_text),
            remedy: c_text(error.remedy()),
        },
        Failure::Argument(detail, remedy) => {
            let kind = ErrorKind::InvalidArgument;
            let message = format!("{operation}: {detail}");
            let remedy = remedy.unwrap_or(kind.remedy());
            plain(kind.code(), operation, &message, Some(detail), remedy)
        }
        Failure::State(detail) => {
            let kind = ErrorKind::InvalidState;
            let message = format!("{operation}: {detail}");
            plain(kind.code(), operation, &message, Some(detail.to_owned()), kind.remedy())
        }
        Failure::Panic => plain(
            subflows_error_kind::SUBFLOWS_E_PANIC as c_int,
            operation,
            &format!("{operation}: stopped by a bug in libsubflows"),
            None,
            "Report it with what was written to standard error.",
        ),
    };
    let code = last.code;
    // A thread that ends has nobody left to ask.
    let _ = LAST.try_with(|slot| slot.replace(Some(last)));
    -code
}

fn plain(
    code: c_int,
    operation: &str,
    message: &str,
    detail: Option<String>,
    remedy: &str,
) -> Last {
    Last {
        code,
        number: 0,
        operation: c_text(operation),
        message: c_text(message),
        detail: detail.map(c_text),
        kernel: None,
        remedy: c_text(remedy),
    }
}

/// Our texts have no zero in them, except where one was passed to us.
fn c_text(text: impl Display) -> CString {
    let text = text.to_string().replace('\0', "\u{fffd}");
    CString::new(text).unwrap_or_default()
}

/// Tells what failed last in this thread.
///
/// Fills `error`, of `size` bytes. Returns 0, or SUBFLOWS_E_INVALID_ARGUMENT (negative) for NULL.
/// Where nothing has failed yet, and in the last moments of a thread that ends, everything is zero
/// and NULL. A call that succeeds changes nothing.
///
/// # Safety
/// `error` leads to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_last_error(error: *mut subflows_error, size: usize) -> c_int {
    guard("last_error", || {
        let filled = LAST.try_with(|slot| {
            let slot = slot.borrow();
            // SAFETY: the caller's promise.
            unsafe { fill(error, size, &slot.as_ref()) }
        });
        // A thread that is ending has forgotten what failed.
        // SAFETY: the caller's promise.
        filled.unwrap_or_else(|_| unsafe { fill(error, size, &None) }).map(|()| 0)
    })
}

impl Mirror<Option<&Last>> for subflows_error {
    fn mirror(last: &Option<&Last>, _: &mut Words) -> Self {
        let text = |text: &dyn Fn(&Last) -> *const c_char| last.map_or(null(), text);
        let maybe = |text: &Option<CString>| text.as_ref().map_or(null(), |text| text.as_ptr());
        subflows_error {
            present: 0,
            operation: text(&|last| last.operation.as_ptr()),
            message: text(&|last| last.message.as_ptr()),
            remedy: text(&|last| last.remedy.as_ptr()),
            detail: text(&|last| maybe(&last.detail)),
            kernel_text: text(&|last| maybe(&last.kernel)),
            kind: last.map_or(0, |last| last.code),
            number: last.map_or(0, |last| last.number),
        }
    }
}

/// The name of an error kind: "NotReady" for SUBFLOWS_E_NOT_READY, positive or negative.
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
