//! What a signal must not interrupt.

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};

/// Calls `f` with every signal blocked. They are delivered afterwards.
pub(super) fn without_signals<T>(f: impl FnOnce() -> T) -> T {
    let mut before = SigSet::empty();
    let all = SigSet::all();
    let blocked = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&all), Some(&mut before));
    let result = f();
    if blocked.is_ok() {
        // The mask is the thread's own former one, which the system accepts.
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    }
    result
}
