//! Taking control of a connection's paths.

use std::ffi::c_int;

use crate::descriptor::socket;
use crate::guard::guard;

/// Hands the path management of one connection to the application, before it is connected.
///
/// subflows_open(), subflows_set_backup() and subflows_announce() need it. The namespace's default
/// stays as it was, whatever happens to this process: it is switched for about a microsecond and
/// back, by a helper process that survives us. A controlled connection ignores the endpoints
/// configured with `ip mptcp`: it has the paths that the application opens, and no others.
///
/// Returns 0, or a negative error: INVALID_STATE for a socket that is listening, connecting or
/// connected; NOT_MPTCP for a TCP socket; NOT_PERMITTED without the right, or in a container whose
/// /proc/sys is read-only; BUSY where another process held the lock all the time, for a second;
/// OTHER_NAMESPACE from another network namespace; UNSUPPORTED before Linux 5.19.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_take_control(fd: c_int) -> c_int {
    guard("take_control", || {
        subflows::take_control(&socket(fd)?)?;
        Ok(0)
    })
}
