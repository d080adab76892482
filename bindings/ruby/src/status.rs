//! What a socket is at this moment.

use magnus::{Error, Ruby, Value};

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::record::Give;

pub(crate) fn status(ruby: &Ruby, sock: Sock) -> Result<Value, Error> {
    subflows::status(&sock).or_raise(ruby)?.give(ruby)
}
