//! Which paths are for when nothing else works.

use magnus::{Error, Ruby};

use crate::convert::Sock;
use crate::error::OrRaise;

pub(crate) fn set_backup(ruby: &Ruby, sock: Sock, id: u32, backup: bool) -> Result<(), Error> {
    subflows::set_backup(&sock, id, backup).or_raise(ruby)
}
