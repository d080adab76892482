//! The Multipath TCP connections of the network namespace.

use magnus::{Error, Ruby, Value};
use subflows::ConnectionsOptions;

use crate::error::OrRaise;
use crate::gvl::without_gvl;
use crate::record::Give;

pub(crate) fn connections(ruby: &Ruby, subflows: bool) -> Result<Value, Error> {
    let options = ConnectionsOptions::new().subflows(subflows);
    without_gvl(|| ::subflows::connections(&options))?.or_raise(ruby)?.give(ruby)
}

pub(crate) fn connection(ruby: &Ruby, token: u32) -> Result<Value, Error> {
    subflows::connection(token).or_raise(ruby)?.give(ruby)
}
