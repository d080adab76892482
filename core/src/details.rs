//! What `sock_diag` knows of one subflow.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::error::Result;
use crate::leg::{self, RawLeg};
use crate::name::Name;
use crate::state::{explain, no_such_subflow, unasked};
use crate::subflow::{self, SubflowState};
use crate::sys::uapi::diag;
use crate::sys::{mptcp, socket};
use crate::table::{Ty, Typed, operation, record};

record! {
    /// What the kernel's socket table knows of one subflow, beside what `list` tells.
    pub struct Details {
        /// The local end.
        local: SocketAddr,
        /// The remote end.
        remote: SocketAddr,
        /// The TCP state.
        state: SubflowState,
        /// Both ends have acknowledged the subflow: it carries data. For the initial one this is
        /// so once the first data is acknowledged.
        is_joined: bool,
        /// It is not the initial subflow.
        is_additional: bool,
        /// We asked the peer to send here only when no other path works.
        is_backup: bool,
        /// The peer asked us to send here only when no other path works.
        is_remote_backup: bool,
        /// The address id of the local address (RFC 8684, section 3.2).
        local_address_id: u8,
        /// The address id of the remote address.
        remote_address_id: u8,
        /// The index of the interface that it is bound to; absent where the routing table decides.
        interface_index: Option<u32>,
        /// The name of that interface.
        interface: Option<Name>,
        /// The congestion control.
        congestion_control: Option<Name>,
        /// The cookie by which `ss -e` (as `sk:`) names the subflow's socket.
        cookie: u64,
        /// Smoothed round-trip time.
        rtt_us: u32 [Microseconds],
        /// Data sent, sent again included.
        bytes_sent: u64 [Bytes],
        /// Data received.
        bytes_received: u64 [Bytes],
        /// Data sent again.
        bytes_retransmitted: u64 [Bytes],
    }
}

impl Details {
    /// Adds the name of the interface. It is asked of a socket in the subflow's network namespace:
    /// the calling thread may be in another.
    pub(crate) fn name_interface(&mut self, sock: BorrowedFd<'_>) {
        self.interface =
            self.interface_index.and_then(|index| socket::interface_name(sock, index).ok());
    }
}

/// The record of one subflow, without the name of its interface.
pub(crate) fn from_raw(leg: RawLeg) -> Details {
    Details {
        local: leg.head.local,
        remote: leg.head.remote,
        state: SubflowState::from_kernel(leg.head.state),
        is_joined: leg.is_joined(),
        is_additional: leg.flags & (diag::FLAG_JOIN_LOC | diag::FLAG_JOIN_REM) != 0,
        is_backup: leg.flags & diag::FLAG_BKUP_LOC != 0,
        is_remote_backup: leg.flags & diag::FLAG_BKUP_REM != 0,
        local_address_id: leg.local_address_id,
        remote_address_id: leg.remote_address_id,
        interface_index: Some(leg.head.interface).filter(|index| *index != 0),
        interface: None,
        congestion_control: leg.congestion_control,
        cookie: leg.head.cookie,
        rtt_us: leg.tcp.tcpi_rtt,
        bytes_sent: leg.tcp.tcpi_bytes_sent,
        bytes_received: leg.tcp.tcpi_bytes_received,
        bytes_retransmitted: leg.tcp.tcpi_bytes_retrans,
    }
}

operation! {
    /// Tells what `list` does not: backup in either direction, address ids, whether the subflow
    /// is fully joined, its interface and its congestion control.
    ///
    /// Needs no privilege; Linux 5.9, with the module `inet_diag`.
    ///
    /// # Errors
    /// `NoSuchSubflow` where no live subflow has that id; `Closed` where the connection is over;
    /// `NotMptcp` for plain TCP and after fallback; `OtherNamespace` from another network
    /// namespace.
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
    row DETAILS(sock: Ty::Socket, id: Ty::U32) -> Details::TY, Nothing,
        [NoSuchSubflow Closed NotMptcp OtherNamespace];
    pub fn details(sock: &impl AsFd, id: u32) -> Result<Details> {
        details_fd(sock.as_fd(), id)
    }
}

fn details_fd(sock: BorrowedFd<'_>, id: u32) -> Result<Details> {
    let subflow = subflow::find(sock, id, "details")?;
    let info = mptcp::info(sock).map_err(|error| explain(sock, "details", &error))?;
    let ends = (subflow.local, subflow.remote);
    match leg::find(sock, info.raw.mptcpi_token, ends, leg::Depth::Deep) {
        Ok(leg) => {
            let mut details = from_raw(leg);
            details.name_interface(sock);
            Ok(details)
        }
        Err(error) => Err(match unasked("details", error) {
            gone if gone.raw_os_error() == Some(libc::ENOENT) => {
                no_such_subflow(sock, "details", id)
            }
            other => other,
        }),
    }
}
