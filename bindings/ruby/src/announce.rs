//! Handles of announced addresses.

use std::os::fd::AsRawFd;

use magnus::{Error, Ruby, Value};

use crate::convert::ToRuby;
use crate::error::OrRaise;
use crate::handle::{handle, io_error};

handle! {
    /// An address that was announced to the peer.
    Announced(subflows::Announced) = "Subflows::Announced" {
        id/0, address/0, fileno/0, turn_away/0;
        revoke/0
    }
}

impl Announced {
    fn id(ruby: &Ruby, this: &Self) -> Result<u8, Error> {
        Ok(this.0.get(ruby)?.id())
    }

    fn address(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        let address = this.0.get(ruby)?.address();
        address.to_ruby(ruby)
    }

    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        let listener = this.0.get(ruby)?.fd().map(|fd| fd.as_raw_fd());
        listener
            .ok_or_else(|| io_error(ruby, "this address has no listener: announce it with a port"))
    }

    fn turn_away(ruby: &Ruby, this: &Self) -> Result<usize, Error> {
        let turned = this.0.get(ruby)?.turn_away();
        turned.or_raise(ruby)
    }

    fn revoke(ruby: &Ruby, this: &Self) -> Result<(), Error> {
        match this.0.take(ruby)? {
            Some(announced) => announced.withdraw().or_raise(ruby),
            None => Ok(()),
        }
    }
}
