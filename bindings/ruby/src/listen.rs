//! Listening sockets.

use std::net::SocketAddr;

use magnus::{Error, Integer, Ruby, TryConvert, Value};
use subflows::Listen;

use crate::address::Remotes;
use crate::error::OrRaise;
use crate::number::Number;
use crate::socket::ruby_socket;

/// Where to listen: the addresses of a name, or every local address (a port alone).
pub(crate) enum Local {
    Any(u16),
    Of(Vec<SocketAddr>),
}

impl TryConvert for Local {
    fn try_convert(given: Value) -> Result<Local, Error> {
        match Integer::from_value(given) {
            Some(_) => Number::try_convert(given).map(|port| Local::Any(port.0)),
            None => Remotes::try_convert(given).map(|addresses| Local::Of(addresses.0)),
        }
    }
}

pub(crate) fn listen(ruby: &Ruby, local: &Local, options: &Listen) -> Result<Value, Error> {
    let listener = match local {
        Local::Any(port) => subflows::listen_any(*port, options),
        Local::Of(addresses) => subflows::listen(addresses.as_slice(), options),
    };
    ruby_socket(ruby, "TCPServer", listener.or_raise(ruby)?.into())
}
