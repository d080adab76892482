//! Connecting by Multipath TCP.
//!
//! The options are in `wait/connecting/options.rs`.

use std::net::{TcpStream, ToSocketAddrs};

use crate::error::Result;
use crate::shared::new_socket::resolve;
use crate::table::{Type, Typed, operation};
use crate::wait::connecting::{Connect, Connecting};

operation! {
    /// Connects by Multipath TCP, or by plain TCP if one end has no Multipath TCP.
    ///
    /// Returns a socket of the language, in blocking mode. The addresses of a name are tried in turn,
    /// each with the whole timeout.
    ///
    /// # Errors
    /// - `Refused`, `Unreachable`, `TimedOut`, `AddressNotAvailable`: those of connect(2) and bind(2).
    /// - `NotPermitted`, `Busy`, `Unsupported`: those of [`take_control`](crate::take_control), if
    ///   control is asked for.
    /// - `InvalidArgument` if the name cannot be resolved, the local address is of another family, a
    ///   link-local address has no scope and no interface is passed, or the two contradict each other.
    ///
    /// ```
    /// use subflows::{Connect, Listen};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let stream = subflows::connect(listener.local_addr()?, &Connect::new())?;
    /// assert_eq!(subflows::status(&stream)?.state, subflows::State::Mptcp);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row CONNECT(address: Type::Address, options: Connect::TYPE) -> Type::NewSocket,
        requires NetAdminForControl, since "5.6",
        [Refused Unreachable TimedOut AddressNotAvailable NotPermitted Busy Unsupported];
    pub fn connect(address: impl ToSocketAddrs, options: &Connect) -> Result<TcpStream> {
        let mut connecting = Connecting::begin(&resolve(address, "connect")?, options)?;
        while !connecting.advance()? {
            connecting.wait()?;
        }
        connecting.finish()
    }
}
