//! The last failure of each thread, kept until the next one.

use std::cell::RefCell;
use std::ffi::{CString, c_int};
use std::fmt::Display;

use subflows::ErrorKind;

use crate::failure::Failure;
use crate::mirror::subflows_error_kind;

/// The last failure of a thread, in the texts that C reads.
pub(crate) struct LastError {
    pub(crate) code: c_int,
    pub(crate) number: c_int,
    pub(crate) operation: CString,
    pub(crate) message: CString,
    pub(crate) detail: Option<CString>,
    pub(crate) kernel_text: Option<CString>,
    pub(crate) remedy: CString,
}

thread_local! {
    static LAST: RefCell<Option<LastError>> = const { RefCell::new(None) };
}

/// Keeps a failure for [`last_error`], and returns the number that the entry returns.
pub(crate) fn remember(operation: &'static str, failure: Failure) -> c_int {
    let last = match failure {
        Failure::Core(error) => LastError {
            code: error.kind().code(),
            number: error.raw_os_error().unwrap_or(0),
            operation: c_text(error.operation()),
            message: c_text(format!("{error:#}")),
            detail: error.detail_text().map(c_text),
            kernel_text: error.kernel_text().map(c_text),
            remedy: c_text(error.remedy()),
        },
        Failure::Argument(detail, remedy) => {
            let kind = ErrorKind::InvalidArgument;
            let message = format!("{operation}: {detail}");
            plain(kind.code(), operation, &message, Some(detail), &remedy)
        }
        Failure::System(error) => {
            let kind = ErrorKind::Os;
            let message = format!("{operation}: {error}");
            let remedy = "Close descriptors, or raise the limit: ulimit -n.";
            let number = error.raw_os_error().unwrap_or(0);
            LastError { number, ..plain(kind.code(), operation, &message, None, remedy) }
        }
        Failure::State(detail, remedy) => {
            let kind = ErrorKind::InvalidState;
            let message = format!("{operation}: {detail}");
            plain(kind.code(), operation, &message, Some(detail.to_owned()), remedy)
        }
        Failure::Panic => plain(
            subflows_error_kind::SUBFLOWS_E_PANIC as c_int,
            operation,
            &format!("{operation}: stopped by a bug in libsubflows"),
            None,
            "Report it together with the message on standard error.",
        ),
    };
    let code = last.code;
    // A thread that is ending can no longer keep anything.
    let _ = LAST.try_with(|slot| slot.replace(Some(last)));
    -code
}

/// Calls `read` with the last failure of this thread, or with `None` if nothing has failed yet or
/// the thread is ending.
pub(crate) fn last_error<T>(mut read: impl FnMut(Option<&LastError>) -> T) -> T {
    LAST.try_with(|slot| read(slot.borrow().as_ref())).unwrap_or_else(|_| read(None))
}

fn plain(
    code: c_int,
    operation: &str,
    message: &str,
    detail: Option<String>,
    remedy: &str,
) -> LastError {
    LastError {
        code,
        number: 0,
        operation: c_text(operation),
        message: c_text(message),
        detail: detail.map(c_text),
        kernel_text: None,
        remedy: c_text(remedy),
    }
}

/// A text for C. Only what the caller passed can contain a zero.
pub(crate) fn c_text(text: impl Display) -> CString {
    let text = text.to_string().replace('\0', "\u{fffd}");
    CString::new(text).unwrap_or_default()
}
