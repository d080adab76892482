//! Each cause of the library's table of causes, shown by a situation in which it is the reason: the kind
//! of the error fits, the text names the cause, and the remedy is the one that helps.

#[path = "../common/mod.rs"]
mod common;

mod joins;
mod kernels;
mod landlock;
mod network;
mod rights;
mod sandboxes;
mod silence;

use subflows::{Error, ErrorKind};

/// Checks the kind of an error, and that its text and remedy name what they have to.
#[track_caller]
fn fails_with<T: std::fmt::Debug>(
    result: Result<T, Error>,
    kind: ErrorKind,
    text: &str,
    remedy: &str,
) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text), "{text:?} is not in: {error}");
    assert!(error.remedy().contains(remedy), "{remedy:?} is not in: {}", error.remedy());
}

/// Checks that a capability is not available, and which cause and remedy it has.
#[track_caller]
fn lacks(name: &str, cause: &str, remedy: &str) {
    let found = common::capability(name);
    assert!(!found.is_available, "{found:?}");
    assert!(found.cause.as_ref().is_some_and(|text| text.contains(cause)), "{found:?}");
    assert!(found.remedy.as_ref().is_some_and(|text| text.contains(remedy)), "{found:?}");
}
