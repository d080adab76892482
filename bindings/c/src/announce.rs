//! Announcing a local address to the peer.

use subflows::{Announce, Announced};

use crate::convert::{StringArena, ToC};
use crate::prelude::*;

/// An address that was announced to the peer.
pub struct subflows_announced(Announced);

/// The port of `address` does not count; the port of the options does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_announce(
    fd: c_int,
    address: *const sockaddr,
    length: socklen_t,
    options: *const subflows_announce_options,
    size: usize,
    announced: Option<&mut MaybeUninit<Box<subflows_announced>>>,
) -> c_int {
    guard("announce", || {
        // SAFETY: `options` has `size` bytes.
        let options: Announce = unsafe { read(options, size) }?;
        let ip = convert::ip(address, length, "address")?;
        let ip = convert::required(ip, "address", convert::AN_ADDRESS)?;
        hand_out(announced, || {
            Ok(subflows_announced(subflows::announce(&socket(fd)?, ip, &options)?))
        })
    })
}

/// Returns the address id by which the peer knows the address (RFC 8684, section 3.4.1): 1 to 255.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_announced_id(announced: Option<&mut subflows_announced>) -> c_int {
    guard("announce", || Ok(c_int::from(handle::open(announced)?.0.id())))
}

/// Writes the address to `address`. Its port is 0 if none was announced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_announced_address(
    announced: Option<&mut subflows_announced>,
    address: *mut sockaddr_storage,
) -> c_int {
    guard("announce", || {
        if address.is_null() {
            return Err(Failure::argument(
                "`address` is NULL",
                "Pass a pointer to a struct sockaddr_storage.",
            ));
        }
        let announced = handle::open(announced)?.0.address();
        // SAFETY: `address` has room for a struct sockaddr_storage, perhaps not aligned.
        unsafe { address.write_unaligned(announced.to_c(&mut StringArena::default())) };
        Ok(0)
    })
}

/// Returns the descriptor of the listener, which belongs to the handle. It becomes readable when a
/// client connects that is not the peer of this connection; a subflow of the peer does not make it
/// readable.
///
/// Fails with SUBFLOWS_E_INVALID_STATE (negative) if the address was announced without a port:
/// there is no listener then.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_announced_fd(announced: Option<&mut subflows_announced>) -> c_int {
    guard("announce", || {
        let fd = handle::open(announced)?.0.fd();
        fd.map(|fd| fd.as_raw_fd()).ok_or(Failure::State(
            "this announcement has no listener",
            "Set `port` in the options of subflows_announce().",
        ))
    })
}

/// Resets every connection that waits at the listener, none of which is a subflow of this
/// connection. Returns how many it has reset, or a negative error. Never waits.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_announced_turn_away(
    announced: Option<&mut subflows_announced>,
) -> c_int {
    guard("announce", || {
        let count = handle::open(announced)?.0.turn_away()?;
        Ok(c_int::try_from(count).unwrap_or(c_int::MAX))
    })
}

/// Withdraws the address, closes the subflows that use it, and closes the handle in any case. Does
/// nothing if the handle is NULL.
///
/// Returns 0, or SUBFLOWS_E_CLOSED (negative) if the connection has ended, so that there was
/// nothing left to withdraw.
#[unsafe(no_mangle)]
pub extern "C" fn subflows_announced_withdraw(announced: Option<Box<subflows_announced>>) -> c_int {
    guard("announce", || Ok(announced.map_or(Ok(()), |announced| announced.0.withdraw())?))
}
