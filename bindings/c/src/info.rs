//! The counters of a connection as a whole.

use crate::prelude::*;

/// A counter that this kernel does not have is absent: see `present`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_info(fd: c_int, info: *mut subflows_info, size: usize) -> c_int {
    guard("info", || {
        // SAFETY: `info` has `size` bytes.
        let out = unsafe { Out::new(info, size) }?;
        Ok(out.fill(&subflows::info(&socket(fd)?)?))
    })
}
