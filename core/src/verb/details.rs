//! What `list` does not report of one subflow.

use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::error::Result;
use crate::shared::connected::Connected;
use crate::shared::details::{Details, Host, from_raw};
use crate::shared::diag_subflow::{self, Depth};
use crate::shared::socket_state::{no_such_subflow, not_mptcp_error, query_error};
use crate::shared::subflow;
use crate::sys::interface_addresses::AddressQuery;
use crate::sys::{cache, mptcp};
use crate::table::{Type, Typed, operation};

operation! {
    /// Reports what `list` does not: backup in each direction, address ids, whether the subflow has
    /// joined, its interface and its congestion control, and whether its local address or its carrier
    /// is gone.
    ///
    /// # Errors
    /// `NoSuchSubflow` if no live subflow has that id; `Closed` if the connection has ended;
    /// `NotMptcp` for plain TCP and after fallback; `OtherNamespace` from another network
    /// namespace; `Unsupported` if the kernel has no `tcp_diag`; before Linux 6.15 `NotPermitted`
    /// without `CAP_NET_ADMIN`.
    ///
    /// ```
    /// use subflows::{Connect, Listen};
    ///
    /// let listener = subflows::listen("127.0.0.1:0", &Listen::new())?;
    /// let client = subflows::connect(listener.local_addr()?, &Connect::new())?;
    /// let path = &subflows::list(&client)?[0];
    /// assert!(!subflows::details(&client, path.id)?.is_backup);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row DETAILS(sock: Type::Socket, id: Type::U32) -> Details::TYPE,
        requires Nothing, since "5.16" with "the module `tcp_diag`",
        [NoSuchSubflow Closed NotMptcp OtherNamespace NotPermitted Unsupported];
    pub fn details(sock: &impl AsFd, id: u32) -> Result<Details> {
        details_fd(sock.as_fd(), id)
    }
}

fn details_fd(sock: BorrowedFd<'_>, id: u32) -> Result<Details> {
    let subflow = subflow::find(sock, id, "details")?;
    let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, "details", &error))?;
    match diag_subflow::find(Connected::new(sock, &info), subflow.ends(), Depth::Deep) {
        Ok(entry) => {
            let mut details = from_raw(&entry);
            let owners = owners(sock, details.local.ip(), details.interface_index)?;
            details.complete(&mut Host::new(sock), &owners);
            Ok(details)
        }
        Err(error) => Err(if error.is(libc::ENOENT) {
            no_such_subflow(sock, "details", id)
        } else {
            query_error("details", error)
        }),
    }
}

/// Returns the interfaces that own an address. The one to which the subflow is bound is asked first: the
/// list of a single interface is short.
fn owners(sock: BorrowedFd<'_>, ip: IpAddr, bound: Option<u32>) -> Result<Vec<u32>> {
    let mut owners = Vec::new();
    for interface in bound.into_iter().chain([0]) {
        let list = |addresses: &mut AddressQuery| addresses.list(ip, interface);
        let owned = match cache::with_socket_for(sock, list) {
            // That interface no longer exists.
            Err(error) if error.is(libc::ENODEV) => continue,
            owned => owned.map_err(|error| query_error("details", error))?,
        };
        owners = owned.iter().filter(|own| own.ip == ip).map(|own| own.interface).collect();
        if !owners.is_empty() {
            break;
        }
    }
    Ok(owners)
}
