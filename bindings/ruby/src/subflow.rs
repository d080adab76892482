//! The subflows of a connection: list them, look into one, close one.

use magnus::{Error, Ruby, Value};

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::gvl::without_gvl;
use crate::record::Give;

pub(crate) fn list(ruby: &Ruby, sock: Sock) -> Result<Value, Error> {
    subflows::list(&sock).or_raise(ruby)?.give(ruby)
}

pub(crate) fn details(ruby: &Ruby, sock: Sock, id: u32) -> Result<Value, Error> {
    subflows::details(&sock, id).or_raise(ruby)?.give(ruby)
}

pub(crate) fn close(ruby: &Ruby, sock: Sock, id: u32, force: bool) -> Result<(), Error> {
    let close = || match force {
        true => subflows::force_close(&sock, id),
        false => subflows::close(&sock, id),
    };
    without_gvl(close)?.or_raise(ruby)
}
