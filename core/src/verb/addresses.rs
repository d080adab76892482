//! The local addresses of a connection.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use crate::door::common::address_ids::known_addresses;
use crate::error::Result;
use crate::shared::connected::Connected;
use crate::shared::diag_subflow::{self, Depth};
use crate::shared::socket_state::{not_mptcp_error, query_error};
use crate::shared::subflow::list_fd;
use crate::sys::mptcp;
use crate::table::{Type, Typed, operation, record};

record! {
    /// A local address of a connection, with its address id.
    pub struct Address {
        /// The address id (RFC 8684, section 3.2); 0 is the address of the initial subflow. (Linux 6.1
        /// gives that of a controlled connection another id.)
        id: u8,
        /// The address.
        ip: IpAddr,
        /// The port; 0 if the address is not bound to one.
        port: u16,
        /// Whether it was announced to the peer, by `announce` or by an endpoint.
        is_announced: bool,
        /// The number of live subflows that use it with this id.
        subflows: u32,
    }
}

operation! {
    /// Lists the local addresses of a connection, in the order of their address ids.
    ///
    /// The list has the addresses that live subflows use, and those that were announced or used
    /// before. Announced addresses that no subflow uses are listed on Linux 6.10 and newer, for
    /// controlled connections. For those of the peer, see
    /// [`peer_addresses`](crate::peer_addresses).
    ///
    /// # Errors
    /// `NotMptcp` for plain TCP and after fallback; `InvalidArgument` for a descriptor that is not a
    /// stream socket; `OtherNamespace` from another network namespace; `Unsupported` if the kernel has
    /// no `tcp_diag`; before Linux 6.15 `NotPermitted` without `CAP_NET_ADMIN`.
    ///
    /// ```
    /// use subflows::{Connect, Listen};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let client = subflows::connect(listener.local_addr()?, &Connect::new())?;
    /// assert_eq!(subflows::addresses(&client)?[0].id, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row ADDRESSES(sock: Type::Socket) -> Type::List(&Address::TYPE),
        requires Nothing, since "5.16" with "the module `tcp_diag`",
        [NotMptcp OtherNamespace NotPermitted Unsupported];
    pub fn addresses(sock: &impl AsFd) -> Result<Vec<Address>> {
        addresses_fd(sock.as_fd())
    }
}

fn addresses_fd(sock: BorrowedFd<'_>) -> Result<Vec<Address>> {
    const OPERATION: &str = "addresses";
    let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, OPERATION, &error))?;
    let connection = Connected::new(sock, &info);
    let mut known = Vec::new();
    for subflow in list_fd(sock, OPERATION)? {
        let entry = match diag_subflow::find(connection, subflow.ends(), Depth::Shallow) {
            Ok(entry) => entry,
            // The subflow was closed since it was listed.
            Err(error) if error.is(libc::ENOENT) => continue,
            Err(error) => return Err(query_error(OPERATION, error)),
        };
        place(&mut known, entry.local_address_id, subflow.local.ip()).subflows += 1;
    }
    // The kernel refuses this for a connection that it manages itself, which has endpoints instead.
    for local in known_addresses(connection).unwrap_or_default() {
        let address = place(&mut known, local.id, local.ip);
        address.port = local.port;
        address.is_announced |= local.is_announced;
    }
    Ok(known)
}

/// Returns the entry of that address in a list that is sorted by id, and adds one if there is none.
fn place(known: &mut Vec<Address>, id: u8, ip: IpAddr) -> &mut Address {
    let key = |address: &Address| (address.id, address.ip);
    let place = known.binary_search_by_key(&(id, ip), key).unwrap_or_else(|place| {
        known.insert(place, Address { id, ip, port: 0, is_announced: false, subflows: 0 });
        place
    });
    &mut known[place]
}

impl Address {
    /// Returns the address with its port.
    pub fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }
}
