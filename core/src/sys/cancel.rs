//! Prevents `pthread_cancel` from ending code in the middle that must run to its end.

/// `PTHREAD_CANCEL_DISABLE`, in glibc and in musl.
const DISABLE: libc::c_int = 1;

// From POSIX, the same in glibc and musl. The libc crate does not declare it for Linux.
unsafe extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, before: *mut libc::c_int) -> libc::c_int;
}

/// As long as this value exists, the calling thread is not cancelled. A request for cancellation
/// stays pending, and takes effect at the thread's first cancellation point afterwards.
pub(crate) struct Uncancelled {
    before: libc::c_int,
}

impl Uncancelled {
    pub(crate) fn new() -> Uncancelled {
        let mut before = 0;
        // SAFETY: the pointer points to `before`. With a state that exists, the call cannot fail.
        unsafe { pthread_setcancelstate(DISABLE, &mut before) };
        Uncancelled { before }
    }
}

impl Drop for Uncancelled {
    fn drop(&mut self) {
        let mut now = 0;
        // SAFETY: the pointer points to `now`, and `before` is a state that this function has
        // returned.
        unsafe { pthread_setcancelstate(self.before, &mut now) };
    }
}

#[cfg(test)]
mod tests {
    use super::Uncancelled;

    /// Without an `Uncancelled`, the cancellation would end the whole process.
    #[test]
    fn a_pending_cancellation_waits() {
        let thread = std::thread::spawn(|| {
            let uncancelled = Uncancelled::new();
            // SAFETY: takes no argument.
            let own = unsafe { libc::pthread_self() };
            // SAFETY: the thread is this one, which exists.
            assert_eq!(unsafe { libc::pthread_cancel(own) }, 0);
            drop(Uncancelled::new());
            // A cancellation point.
            std::thread::sleep(std::time::Duration::from_nanos(1));
            // The thread was not cancelled: it stays uncancellable until it returns.
            std::mem::forget(uncancelled);
        });
        thread.join().unwrap();
    }
}
