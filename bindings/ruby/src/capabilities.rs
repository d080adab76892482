//! What this kernel and this process can do.

use magnus::{Error, Ruby, Value};

use crate::error::OrRaise;
use crate::gvl::without_gvl;
use crate::record::Give;

pub(crate) fn capabilities(ruby: &Ruby) -> Result<Value, Error> {
    without_gvl(subflows::capabilities)?.or_raise(ruby)?.give(ruby)
}
