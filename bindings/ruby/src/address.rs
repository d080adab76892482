//! The addresses of this end.

use magnus::{Error, Ruby, Value};

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::record::Give;

pub(crate) fn addresses(ruby: &Ruby, sock: Sock) -> Result<Value, Error> {
    subflows::addresses(&sock).or_raise(ruby)?.give(ruby)
}
