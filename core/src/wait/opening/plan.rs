//! The plan for a subflow: its ends, its source port and its address id.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use super::ends::{Ends, RouteState};
use super::port;
use super::{OPERATION, Open, rest};
use crate::door::LocalEnd;
use crate::door::common::address_ids::{UnusedId, known_addresses, unused_id};
use crate::error::{Error, Result};
use crate::shared::connected::Connected;
use crate::shared::diag_subflow::is_same_end;
use crate::shared::network::Way;
use crate::shared::not_controlled::not_controlled;
use crate::shared::socket_state::{query_error, unsteerable_reason};
use crate::shared::subflow::list_fd;
use crate::sys::cache::QueryError;
use crate::sys::socket;

/// The plan for a subflow. The port and the address id are chosen again for each try.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) token: u32,
    pub(super) local: LocalEnd,
    pub(super) remote: SocketAddr,
    /// Whether the routing table has the path.
    pub(super) route: RouteState,
    /// The caller chose the port. If it is in use, opening fails.
    pub(super) is_port_given: bool,
    /// The subflow joins as backup, and becomes a regular one after its rest: see [`rest`].
    pub(super) is_held_back: bool,
}

/// Plans a subflow between these ends, and whether it is held back.
pub(super) fn plan(connection: Connected<'_>, options: &Open, ends: Ends) -> Result<Plan> {
    let Connected { sock, token } = connection;
    let Ends { local: ip, remote, interface, route } = ends;
    let is_held_back = !options.backup && rest::is_needed(&list_fd(sock, OPERATION)?);
    let is_backup = options.backup || is_held_back;
    let local = LocalEnd { ip, port: options.local_port, id: 0, interface, is_backup };
    Ok(Plan { token, local, remote, route, is_port_given: options.local_port != 0, is_held_back })
}

impl Plan {
    pub(super) fn connection<'a>(&self, sock: BorrowedFd<'a>) -> Connected<'a> {
        Connected { sock, token: self.token }
    }

    /// Where the subflow's first segment goes.
    pub(super) fn way<'a>(&self, sock: BorrowedFd<'a>) -> Way<'a> {
        Way { sock, local: self.local.ip, remote: self.remote, interface: self.local.interface }
    }

    /// Chooses the port and the address id for one try. If an id is returned, claim it before the try.
    ///
    /// Each subflow gets a source port of its own. The reply to the kernel's command identifies no
    /// subflow, so without that, two subflows that are opened at the same time between the same
    /// addresses could not be distinguished. For the kernel, an address with a port is an address of
    /// its own, which requires an id of its own.
    ///
    /// If the kernel cannot use a port, it forgets the id of that address and port, even if another
    /// subflow uses the id (`mptcp_pm_nl_subflow_create_doit` in `net/mptcp/pm_userspace.c`). So a
    /// port that is in use is never sent to it.
    pub(super) fn choose(&mut self, sock: BorrowedFd<'_>) -> Result<Option<UnusedId>> {
        const TRIES: usize = 64;
        let connection = self.connection(sock);
        let known = match known_addresses(connection) {
            Ok(known) => known,
            Err(QueryError::Netlink(refusal)) if refusal.errno == libc::EINVAL => {
                // The kernel also answers this if the connection has ended.
                let controlled = || not_controlled(sock, OPERATION);
                return Err(unsteerable_reason(sock, OPERATION)
                    .unwrap_or_else(|| controlled().kernel(refusal.text)));
            }
            Err(error) => return Err(query_error(OPERATION, error)),
        };
        let ip = self.local.ip;
        let id_of = |port| known.iter().find(|known| known.ip == ip && known.port == port);
        if self.is_port_given {
            self.check_port(sock)?;
        } else {
            let mut ports = (0..TRIES).map(|_| port::ephemeral(sock));
            let free = ports.find(|port| id_of(*port).is_none());
            self.local.port = free.unwrap_or_else(|| port::ephemeral(sock));
        }
        if let Some(same) = id_of(self.local.port) {
            self.local.id = same.id;
            return Ok(None);
        }
        let unused = unused_id(connection, &known, OPERATION)?;
        self.local.id = unused.id;
        Ok(Some(unused))
    }

    /// Refuses a given port that another subflow of the connection uses and does not share.
    fn check_port(&self, sock: BorrowedFd<'_>) -> Result<()> {
        let shares = socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_REUSEADDR).unwrap_or(0) != 0;
        let local = SocketAddr::new(self.local.ip, self.local.port);
        let is_taken = list_fd(sock, OPERATION)?.iter().any(|live| {
            is_same_end(live.local, local) && (!shares || is_same_end(live.remote, self.remote))
        });
        if is_taken {
            return Err(Error::os(OPERATION, libc::EADDRINUSE)
                .detail(format!("another subflow of this connection uses {local}")));
        }
        Ok(())
    }
}
