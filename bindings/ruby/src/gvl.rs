//! Letting other Ruby threads run while one is in the kernel.

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
/// A pending Thread#raise or Thread#kill of this thread is raised before the call or after it; in
/// the second case the result of `work` is dropped. `work` must not wait for the network: those
/// waits are in Ruby.
pub(crate) fn without_gvl<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Error> {
    let mut job = Job { work: Some(work), result: None };
    let place = ptr::from_mut(&mut job).cast::<c_void>();
    let call = step_of(&job);
    let called = protect(|| {
        // SAFETY: `place` points to `job`, which outlives the call, and `call` is for its type.
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

/// The function that Ruby calls with a pointer to such a job.
fn step_of<F: FnOnce() -> T, T>(_: &Job<F, T>) -> Step {
    step::<F, T>
}

/// A panic must not cross Ruby's frames: it is stored, and resumed after the call.
unsafe extern "C" fn step<F: FnOnce() -> T, T>(place: *mut c_void) -> *mut c_void {
    // SAFETY: `without_gvl` passes a pointer to its job, and does not use the job during the call.
    let job = unsafe { &mut *place.cast::<Job<F, T>>() };
    if let Some(work) = job.work.take() {
        job.result = Some(catch_unwind(AssertUnwindSafe(work)));
    }
    ptr::null_mut()
}
