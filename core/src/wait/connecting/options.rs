//! The options of `connect`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::table::options;

options! {
    /// Options of `connect`.
    pub struct Connect {
        optional {
            /// The local address to connect from. With port 0 the kernel chooses the port. A
            /// wildcard address means any local address of the remote address's family. The
            /// connection leaves by the interface that owns the address, as a subflow of `open` does.
            local: SocketAddr,
            /// The interface to connect by, by name (SO_BINDTOIFINDEX). Without it, the one that the
            /// scope of a link-local address names.
            interface: String,
            /// The timeout for each address. Without it, the kernel gives up after about two minutes.
            timeout: Duration,
        }
        default {
            /// Whether to take control of the connection before connecting: see `take_control`. The
            /// call fails if that is not possible. This is not the default, because a controlled
            /// connection ignores the endpoints that the administrator or NetworkManager configured,
            /// and so gets no subflows from them.
            control: bool = false,
        }
    }
}
