//! Taking control of a connection's subflows.

use crate::prelude::*;

#[unsafe(no_mangle)]
pub extern "C" fn subflows_take_control(fd: c_int) -> c_int {
    guard("take_control", || Ok(subflows::take_control(&socket(fd)?)?))
}
