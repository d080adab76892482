//! Which paths are for when nothing else works.

use std::ffi::c_int;

use crate::descriptor::socket;
use crate::guard::guard;

/// Asks the peer to use a subflow as backup only, or no longer (MP_PRIO), and does so itself.
///
/// A backup carries data only while no other subflow can. The peer is told by one segment that is
/// not sent again when it is lost: ask again where its sending does not change. `backup` is 0 or
/// not. Returns 0, or a negative error:
/// NO_SUCH_SUBFLOW, NOT_CONTROLLED, CLOSED, NOT_MPTCP, NOT_PERMITTED, OTHER_NAMESPACE.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_set_backup(fd: c_int, id: u32, backup: c_int) -> c_int {
    guard("set_backup", || {
        subflows::set_backup(&socket(fd)?, id, backup != 0)?;
        Ok(0)
    })
}
