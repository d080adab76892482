//! Listening sockets.

use std::net::SocketAddr;

use magnus::{Error, RArray, Ruby, TryConvert, Value};
use subflows::Listen;

use crate::convert::{Address, ruby_socket};
use crate::error::OrRaise;

pub(crate) fn listen(
    ruby: &Ruby,
    addresses: RArray,
    interface: Option<String>,
    backlog: u32,
    only_v6: bool,
) -> Result<Value, Error> {
    let mut options = Listen::new().backlog(backlog).only_v6(only_v6);
    options.interface = interface;
    let addresses = addresses.into_iter().map(|given| Ok(Address::try_convert(given)?.0));
    let addresses: Vec<SocketAddr> = addresses.collect::<Result<_, Error>>()?;
    let listener = subflows::listen(&*addresses, &options).or_raise(ruby)?;
    ruby_socket(ruby, "TCPServer", listener.into())
}
