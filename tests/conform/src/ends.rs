//! The two ends of a connection or of a subflow.

use std::net::SocketAddr;

use crate::protocol::Fields;
use crate::step_error::Result;

/// The local and the remote address. IPv4-mapped addresses are written as IPv4.
pub type Ends = (SocketAddr, SocketAddr);

/// An address with an IPv4-mapped one as IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The same ends, as the other end sees them.
pub fn mirrored((local, remote): Ends) -> Ends {
    (remote, local)
}

/// The ends in the fields of an answer.
pub fn ends_in(fields: &Fields) -> Result<Ends> {
    Ok((canonical(fields.value("local")?), canonical(fields.value("remote")?)))
}
