//! The options of `open`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::table::options;

options! {
    /// Options of `open`: the two ends of the subflow, its priority and the timeout.
    pub struct Open {
        optional {
            /// The local address. Without it, the kernel chooses one that leads from `interface` to the
            /// peer; with `remote` alone, the routing table chooses; with none of the three, it is the
            /// address of the initial subflow.
            local: IpAddr,
            /// The interface to send by, by name. Without it, the one that owns the local address, if it
            /// leads to the peer; otherwise the routing table chooses. The scope of a link-local
            /// `remote` is its interface.
            interface: String,
            /// The remote end. Without it, the peer's end of the connection; with port 0, the peer's
            /// port of the connection. A link-local address of IPv6 requires an interface or a scope.
            remote: SocketAddr,
        }
        default {
            /// The local port. 0 chooses a free one from the ephemeral range.
            local_port: u16 = 0,
            /// Whether to ask the peer to use the subflow as backup from the start.
            backup: bool = false,
            /// The timeout until the subflow is usable.
            timeout: Duration = Duration::from_secs(5),
            /// Whether to leave the choice of the interface to the routing table, instead of sending
            /// by the one that owns the local address and leads to the peer. Set this only on a host
            /// whose routing rules depend on the source address: strict routers drop packets that leave
            /// by another interface than the one that owns their source address.
            unbound: bool = false,
        }
    }
}
