//! Letting other threads of Ruby's run while one is in the kernel.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::thread;

use magnus::Error;
use magnus::rb_sys::protect;

struct Job<F, T> {
    work: Option<F>,
    result: Option<thread::Result<T>>,
}

/// Calls `work` without the lock of Ruby's virtual machine.
///
/// What is pending for this thread (Thread#raise, Thread#kill) is raised before or afterwards; in
/// the second case what `work` made is dropped. Nothing that waits for the network goes here: Ruby
/// waits for that by itself.
pub(crate) fn without_gvl<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let mut job = Job { work: Some(work), result: None };
    let place = ptr::from_mut(&mut job).cast::<c_void>();
    let call = step_of(&job);
    let called = protect(|| {
        // SAFETY: `place` is that of `job`, which outlives the call, and `call` is for its type.
        unsafe { rb_sys::rb_thread_call_without_gvl(Some(call), place, None, ptr::null_mut()) };
        rb_sys::Qnil.into()
    });
    let result = job.result.take();
    called?;
    match result {
        Some(Ok(done)) => Ok(done),
        Some(Err(panic)) => resume_unwind(panic),
        None => unreachable!("Ruby returned without calling and without raising"),
    }
}

type Step = unsafe extern "C" fn(*mut c_void) -> *mut c_void;

/// The function that Ruby calls with the place of such a job.
fn step_of<F: FnOnce() -> T, T>(_: &Job<F, T>) -> Step {
    step::<F, T>
}

/// A panic is kept, and goes on where Rust has called: it must not cross Ruby's frames.
unsafe extern "C" fn step<F: FnOnce() -> T, T>(place: *mut c_void) -> *mut c_void {
    // SAFETY: `without_gvl` passes the place of its job, and does not touch it meanwhile.
    let job = unsafe { &mut *place.cast::<Job<F, T>>() };
    if let Some(work) = job.work.take() {
        job.result = Some(catch_unwind(AssertUnwindSafe(work)));
    }
    ptr::null_mut()
}
