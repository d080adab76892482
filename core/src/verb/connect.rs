//! Connecting by Multipath TCP.

use std::net::{TcpStream, ToSocketAddrs};

use crate::error::Result;
use crate::shared::new_socket::resolve;
use crate::table::{Type, Typed, operation};
use crate::wait::connecting::{Connect, Connecting};

operation! {
    /// Connects by Multipath TCP, or by plain TCP where either end has none.
    ///
    /// The result is the language's own socket, in blocking mode. Each address that a name
    /// resolves to is tried in turn, with the whole timeout each.
    ///
    /// # Errors
    /// - `Refused`, `Unreachable`, `TimedOut`, `AddressNotAvailable` as connect(2) and bind(2) say.
    /// - `NotPermitted`, `Busy`, `Unsupported` as [`take_control`](crate::take_control) says, when
    ///   control is asked for.
    /// - `InvalidArgument` where the name does not resolve.
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
