//! The counters of a connection as a whole.

use magnus::{Error, Ruby, Value};

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::record::Give;

pub(crate) fn info(ruby: &Ruby, sock: Sock) -> Result<Value, Error> {
    subflows::info(&sock).or_raise(ruby)?.give(ruby)
}
