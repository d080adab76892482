//! Taking control of a connection's paths.

use magnus::{Error, Ruby};

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::gvl::without_gvl;

pub(crate) fn take_control(ruby: &Ruby, sock: Sock) -> Result<(), Error> {
    without_gvl(|| subflows::take_control(&sock))?.or_raise(ruby)
}
