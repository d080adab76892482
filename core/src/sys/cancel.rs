//! Keeps `pthread_cancel` away from code that cannot be left in the middle.

/// `PTHREAD_CANCEL_DISABLE`, in glibc and in musl.
const DISABLE: libc::c_int = 1;

// POSIX, and the same in glibc and musl; the libc crate does not declare it for Linux.
unsafe extern "C" {
    fn pthread_setcancelstate(state: libc::c_int, before: *mut libc::c_int) -> libc::c_int;
}

/// While this lives, the calling thread is not cancelled. A cancellation that comes meanwhile stays
/// pending, and the thread acts on it at its next cancellation point after that.
pub(crate) struct Uncancelled {
    before: libc::c_int,
}

impl Uncancelled {
    pub(crate) fn new() -> Uncancelled {
        let mut before = 0;
        // SAFETY: the pointer leads to `before`, and the state is one that exists: it cannot fail.
        unsafe { pthread_setcancelstate(DISABLE, &mut before) };
        Uncancelled { before }
    }
}

impl Drop for Uncancelled {
    fn drop(&mut self) {
        let mut now = 0;
        // SAFETY: the pointer leads to `now`, and `before` is a state that this function has given.
        unsafe { pthread_setcancelstate(self.before, &mut now) };
    }
}

#[cfg(test)]
mod tests {
    use super::Uncancelled;

    /// Without it the whole process ends.
    #[test]
    fn a_pending_cancellation_does_nothing_meanwhile() {
        let thread = std::thread::spawn(|| {
            let uncancelled = Uncancelled::new();
            // SAFETY: takes nothing.
            let own = unsafe { libc::pthread_self() };
            // SAFETY: the thread is this one, which is there.
            assert_eq!(unsafe { libc::pthread_cancel(own) }, 0);
            drop(Uncancelled::new());
            // A cancellation point.
            std::thread::sleep(std::time::Duration::from_nanos(1));
            // For good: the thread ends by itself.
            std::mem::forget(uncancelled);
        });
        thread.join().unwrap();
    }
}
