//! Listening sockets.

use std::net::SocketAddr;

use magnus::{Error, Integer, Ruby, TryConvert, Value};
use subflows::Listen;

use crate::address::Remotes;
use crate::convert::system_error;
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

pub(crate) fn listen(
    ruby: &Ruby,
    local: &Local,
    options: &Listen,
    blocking: bool,
) -> Result<Value, Error> {
    let listener = match local {
        Local::Any(port) => subflows::listen_any(*port, options),
        Local::Of(addresses) => subflows::listen(addresses.as_slice(), options),
    };
    let listener = listener.or_raise(ruby)?;
    // Shares the mode with the socket that becomes Ruby's.
    let mode = blocking.then(|| listener.try_clone()).transpose();
    let mode = mode.map_err(|error| system_error(ruby, &error))?;
    let made = ruby_socket(ruby, "TCPServer", listener.into())?;
    if let Some(listener) = mode {
        listener.set_nonblocking(false).map_err(|error| system_error(ruby, &error))?;
    }
    Ok(made)
}
