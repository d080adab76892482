//! Withdrawing an announced address, with the rights of this process.

use std::net::SocketAddr;

use super::in_either_family;
use crate::door::common::address_ids::Reserved;
use crate::door::{Answer, Refused, Withdraw};
use crate::error::{Error, ErrorKind};
use crate::shared::connected::Connected;
use crate::shared::counters::Counters;
use crate::shared::path_manager::addresses_by_token;
use crate::shared::socket_state::query_error;
use crate::sys::netlink::NetlinkError;
use crate::sys::path_manager::{LocalAddress, PathManagerSocket};
use crate::sys::sock_diag::{NO_TCP_DIAG, SockDiag};
use crate::sys::socket;

/// How often to withdraw an address. Another connection may be the one whose REMOVE_ADDR was not sent.
const ATTEMPTS: usize = 3;

/// An announced address, and what is needed to withdraw it. It has sockets of its own, because the thread
/// may be in another network namespace by then.
#[derive(Debug)]
pub(super) struct DirectWithdraw {
    netlink: PathManagerSocket,
    diag: SockDiag,
    token: u32,
    local: LocalAddress,
    /// The port that the peer's subflows to the address have.
    port: u16,
    /// The kernel lists the addresses of one connection.
    can_look: bool,
    /// The counters of the connection's network namespace; `None` without /proc.
    counters: Option<Counters>,
    _reserved: Reserved,
}

impl DirectWithdraw {
    /// Makes the value for an address that has just been announced, so that this thread is in the socket's
    /// network namespace.
    pub(super) fn new(
        Connected { sock, token }: Connected<'_>,
        local: LocalAddress,
        reserved: Reserved,
    ) -> std::result::Result<DirectWithdraw, NetlinkError> {
        // If no port is announced, the peer uses the one of this end.
        let port = match local.port {
            0 => socket::local_address(sock).map_or(0, |own| own.port()),
            port => port,
        };
        Ok(DirectWithdraw {
            netlink: PathManagerSocket::open()?,
            diag: SockDiag::open()?,
            token,
            local,
            port,
            can_look: addresses_by_token(sock),
            counters: Counters::open().ok(),
            _reserved: reserved,
        })
    }

    /// Makes sure that the kernel has the address under its id.
    ///
    /// The kernel forgets an announced address when a subflow from it is closed by a command. It may then
    /// assign the id to another address, whose subflows the withdrawal would close. An address that it has
    /// forgotten is announced once more, which the kernel refuses if the id or the address is in use.
    fn ensure_announced(&mut self) -> Answer {
        let (token, local) = (self.token, self.local);
        if self.can_look {
            let known = self.netlink.addresses(token).map_err(refused)?;
            let is_ours = |known: &LocalAddress| {
                (known.id, known.ip, known.port) == (local.id, local.ip, local.port)
            };
            if known.iter().any(is_ours) {
                return Ok(());
            }
            // The peer has opened a subflow to the address since, and the kernel has chosen an id for it.
            // If the subflow is closed, the kernel forgets that id.
            let is_other = |known: &LocalAddress| (known.ip, known.port) == (local.ip, local.port);
            if known.iter().any(is_other) && known.iter().all(|known| known.id != local.id) {
                self.close_joined().map_err(refused)?;
            }
        }
        match self.netlink.announce(token, &local) {
            Err(refusal) if refusal.errno == libc::EINVAL && self.is_open() => {
                let LocalAddress { ip, id, .. } = local;
                // Without the error number, by which the caller would conclude that the connection has ended.
                Err(Error::new(ErrorKind::InvalidState, "REMOVE")
                    .detail(format!(
                        "the kernel has forgotten {ip} with address id {id}, and uses the address or \
                         the id otherwise"
                    ))
                    .with_remedy(
                        "Close the subflows from that address, which `addresses` lists with its id.",
                    )
                    .into())
            }
            announced => announced.map_err(refused),
        }
    }

    /// Reports whether the connection exists and is controlled by the application.
    fn is_open(&mut self) -> bool {
        if self.can_look {
            self.netlink.addresses(self.token).is_ok()
        } else {
            self.netlink.is_userspace(self.token).is_ok()
        }
    }

    /// How many REMOVE_ADDR the kernel has not sent in this network namespace; `None` if it does not count them.
    ///
    /// It sends none while an ADD_ADDR or an echo waits to be sent, such as a retransmission, and the command
    /// succeeds all the same (tests/upstream/remove-addr). The peer would never know. To announce the
    /// address once more sends what waits.
    fn not_sent(&mut self) -> Option<u64> {
        self.counters.as_mut()?.value("RmAddrTxDrop")
    }

    /// Closes the subflows that the peer has opened to the address and that have another id.
    ///
    /// The kernel assigns the id of the first entry with that address to a subflow that the peer opens,
    /// whatever the port. The entry may be the one of a subflow of this end, or of the initial subflow.
    fn close_joined(&mut self) -> std::result::Result<(), NetlinkError> {
        let (token, end) = (self.token, SocketAddr::new(self.local.ip, self.port));
        let mut joined = Vec::new();
        let listed = self.diag.subflows(|entry| {
            let (local, remote) = (entry.head.local, entry.head.remote);
            let is_there = (local.ip(), local.port()) == (end.ip(), end.port());
            if entry.token == token && entry.is_opened_by_peer() && is_there {
                joined.push((local, remote));
            }
        });
        match listed {
            // The kernel has closed those with the id of the address, and lists no others.
            Err(refusal) if refusal.errno == NO_TCP_DIAG => {}
            listed => listed?,
        }
        for (local, remote) in joined {
            let closed = in_either_family(local, remote, libc::ESRCH, |local, remote| {
                self.netlink.destroy(token, local, remote)
            });
            match closed {
                // It has ended since it was listed, or the connection has.
                Err(refusal) if matches!(refusal.errno, libc::ESRCH | libc::EINVAL) => {}
                closed => closed?,
            }
        }
        Ok(())
    }
}

impl Withdraw for DirectWithdraw {
    fn withdraw(&mut self) -> Answer {
        for _ in 0..ATTEMPTS {
            self.ensure_announced()?;
            let before = self.not_sent();
            self.netlink.remove(self.token, self.local.id).map_err(refused)?;
            if self.not_sent() == before {
                break;
            }
        }
        self.close_joined().map_err(refused)
    }
}

fn refused(refusal: NetlinkError) -> Refused {
    query_error("REMOVE", refusal.into()).into()
}
