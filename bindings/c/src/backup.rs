//! Marking subflows as backup.

use crate::prelude::*;

/// `backup` is 1 for a backup, and 0 for a regular subflow.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_set_backup(fd: c_int, id: u32, backup: c_int) -> c_int {
    guard("set_backup", || Ok(subflows::set_backup(&socket(fd)?, id, backup != 0)?))
}
