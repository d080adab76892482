//! Making a TCP socket Multipath TCP.

use magnus::{Error, Ruby};

use crate::convert::Sock;
use crate::error::OrRaise;

pub(crate) fn upgrade(ruby: &Ruby, sock: Sock) -> Result<(), Error> {
    subflows::upgrade(&sock).or_raise(ruby)
}
