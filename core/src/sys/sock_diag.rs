//! `sock_diag`: the sockets of the network namespace, looked up and listed without any privilege.
//!
//! Source: `net/ipv4/inet_diag.c`, `net/mptcp/{mptcp_diag,diag}.c`.

mod message;

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

pub(crate) use self::message::{answered_flags, question};

use self::message::{Request, family, parse_connection, parse_tcp_socket};
use super::mptcp::{RawInfo, is_live};
use super::netlink::{Netlink, NetlinkError, Received};
use super::uapi::{self, diag, tcp_info};
use super::without::is_without;
use crate::kernel_name::KernelName;

/// The error number for a kernel without the module `tcp_diag`, whose own answer is the one for a socket
/// that does not exist (`ENOENT`). The kernel never answers with this number.
pub(crate) const NO_TCP_DIAG: i32 = libc::ENOPKG;
/// The error number for a subflow whose details the kernel hides from this process. The kernel never
/// answers with this number: it shows the subflow as plain TCP.
pub(crate) const HIDDEN: i32 = libc::ENOANO;

/// What the kernel reports for every socket.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) state: u8,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) interface: u32,
    pub(crate) cookie: u64,
    pub(crate) receive_queue: u32,
    pub(crate) send_queue: u32,
    pub(crate) uid: u32,
    pub(crate) inode: u32,
}

/// A connection as a whole.
pub(crate) struct RawConnection {
    pub(crate) head: Head,
    pub(crate) info: RawInfo,
}

/// One subflow.
#[derive(Clone)]
pub(crate) struct DiagSubflow {
    pub(crate) head: Head,
    pub(crate) token: u32,
    pub(crate) local_address_id: u8,
    pub(crate) remote_address_id: u8,
    pub(crate) flags: u32,
    pub(crate) congestion_control: Option<KernelName>,
    /// The byte in the header of IPv4; only with [`Depth::Options`], as are the next three.
    pub(crate) type_of_service: Option<u8>,
    /// The byte in the header of IPv6.
    pub(crate) traffic_class: Option<u8>,
    /// The sizes of the receive buffer and of the send buffer.
    pub(crate) buffers: Option<(u32, u32)>,
    /// Reported only to a process with `CAP_NET_ADMIN`.
    pub(crate) mark: Option<u32>,
    pub(crate) tcp: tcp_info,
}

impl DiagSubflow {
    /// Reports whether both ends have completed the join: the initial subflow by its first data, a
    /// further one by the fourth segment of its handshake.
    pub(crate) fn is_joined(&self) -> bool {
        self.head.state == uapi::TCP_ESTABLISHED && self.flags & diag::FLAG_FULLY_ESTABLISHED != 0
    }

    /// Reports whether the subflow shows that its connection is ready for more subflows, or was.
    pub(crate) fn shows_established(&self) -> bool {
        let joined = diag::FLAG_JOIN_REM | diag::FLAG_JOIN_LOC;
        self.flags & (diag::FLAG_FULLY_ESTABLISHED | joined) != 0
    }

    /// Reports whether the peer has opened this subflow.
    pub(crate) fn is_opened_by_peer(&self) -> bool {
        self.flags & (diag::FLAG_JOIN_REM | diag::FLAG_JOIN_LOC) == diag::FLAG_JOIN_REM
    }

    /// Reports whether this end asked the peer to use it as backup.
    pub(crate) fn is_backup(&self) -> bool {
        self.flags & diag::FLAG_BKUP_LOC != 0
    }

    /// Reports whether it is the subflow with which the connection began.
    pub(crate) fn is_initial(&self) -> bool {
        self.flags & (diag::FLAG_JOIN_LOC | diag::FLAG_JOIN_REM) == 0
    }
}

/// A TCP socket.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "the usual one is the larger one, and is not kept")]
pub(crate) enum Found {
    Subflow(DiagSubflow),
    /// Another socket, or one that the kernel does not show as a subflow.
    Other {
        head: Head,
        /// The kernel shows what the socket is used for (TCP_ULP). Before Linux 6.15 it does so only to
        /// a process with `CAP_NET_ADMIN`; any other process sees subflows as plain TCP.
        has_ulp: bool,
    },
}

/// How much a look-up reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// State and identity only: addresses, token, address ids, flags.
    Shallow,
    /// The congestion control too.
    Deep,
    /// Every option of the socket that the kernel reports.
    Options,
}

/// The kernel's table of sockets, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct SockDiag {
    netlink: Netlink,
}

impl SockDiag {
    pub(crate) fn open() -> Result<Self, NetlinkError> {
        Ok(SockDiag { netlink: Netlink::open(libc::NETLINK_SOCK_DIAG)? })
    }

    /// Looks up the TCP socket between exactly these two addresses, or one that would receive a segment
    /// between them. `interface` is the one that it is bound to, or 0.
    ///
    /// # Errors
    /// `ENOENT` if there is none.
    pub(crate) fn tcp_socket(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        interface: u32,
        depth: Depth,
    ) -> Result<Found, NetlinkError> {
        // Without EXT_INFO the kernel leaves out the token of the connection as well.
        let extensions = match depth {
            Depth::Shallow => diag::EXT_INFO,
            Depth::Deep => diag::EXT_INFO | diag::EXT_CONG,
            Depth::Options => {
                diag::EXT_INFO
                    | diag::EXT_CONG
                    | diag::EXT_TOS
                    | diag::EXT_TCLASS
                    | diag::EXT_MEMORY
            }
        };
        let request = Request {
            extensions,
            ends: Some((local, remote)),
            interface,
            ..Request::tcp(family(local))
        };
        match self.look_up(&request)? {
            // The kernel reads the state first. A subflow that ends in between looks like plain TCP.
            Found::Other { head, has_ulp: false } if is_live(head.state) => self.look_up(&request),
            found => Ok(found),
        }
    }

    fn look_up(&mut self, request: &Request) -> Result<Found, NetlinkError> {
        let mut found = None;
        let answer =
            self.netlink.request(request.message(diag::SOCK_DIAG_BY_FAMILY, 0), |received| {
                found = Some(parse_tcp_socket(received)?);
                Ok(())
            });
        if is_without("tcp_diag") || answer.as_ref().is_err_and(|error| error.errno == libc::ENOENT)
        {
            // Without the module, the kernel gives this answer for every socket.
            self.prove_tcp()?;
        }
        answer?;
        found.ok_or_else(|| NetlinkError::new(libc::ENOENT))
    }

    /// Fails with [`NO_TCP_DIAG`] if the kernel does not look up TCP sockets at all. Only a dump shows
    /// it: this one matches no socket. One success is enough, because the module stays loaded.
    pub(crate) fn prove_tcp(&mut self) -> Result<(), NetlinkError> {
        static PROVED: OnceLock<()> = OnceLock::new();
        if PROVED.get().is_some() {
            return Ok(());
        }
        let answer = if is_without("tcp_diag") {
            Err(NetlinkError::new(libc::ENOENT))
        } else {
            self.dump(Request { states: 0, ..Request::tcp(libc::AF_INET) }, |_| Ok(()))
        };
        match answer {
            Ok(()) => {
                PROVED.get_or_init(|| ());
                Ok(())
            }
            Err(error) if error.errno == libc::ENOENT => Err(NetlinkError::new(NO_TCP_DIAG)),
            Err(error) => Err(error),
        }
    }

    /// `SOCK_DESTROY`: resets one TCP socket. Requires `CAP_NET_ADMIN`.
    pub(crate) fn destroy(
        &mut self,
        (local, remote): (SocketAddr, SocketAddr),
        interface: u32,
        cookie: u64,
    ) -> Result<(), NetlinkError> {
        let request = Request {
            ends: Some((local, remote)),
            interface,
            cookie,
            ..Request::tcp(family(local))
        };
        self.netlink.request(request.message(diag::SOCK_DESTROY, libc::NLM_F_ACK), |_| Ok(()))
    }

    /// Checks that this kernel can reset sockets, by a request that matches none.
    pub(crate) fn may_destroy(&mut self) -> Result<(), NetlinkError> {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let request = Request { ends: Some((nowhere, nowhere)), ..Request::tcp(libc::AF_INET) };
        let message = request.message(diag::SOCK_DESTROY, libc::NLM_F_ACK);
        match self.netlink.request(message, |_| Ok(())) {
            Err(error) if error.errno != libc::ENOENT => Err(error),
            _ => Ok(()),
        }
    }

    /// Looks up the connection with that local token, in constant time.
    ///
    /// # Errors
    /// `ENOENT` if there is none.
    pub(crate) fn connection(&mut self, token: u32) -> Result<RawConnection, NetlinkError> {
        let request = Request { cookie: u64::from(token), ..Request::mptcp(libc::AF_INET) };
        let mut found = None;
        self.netlink.request(request.message(diag::SOCK_DIAG_BY_FAMILY, 0), |received| {
            found = parse_connection(received)?;
            Ok(())
        })?;
        found.ok_or_else(|| NetlinkError::new(libc::ENOENT))
    }

    /// Calls `each` with every Multipath TCP connection of both families.
    pub(crate) fn connections(
        &mut self,
        mut each: impl FnMut(&RawConnection),
    ) -> Result<(), NetlinkError> {
        for family in [libc::AF_INET, libc::AF_INET6] {
            let request = Request { states: Request::CONNECTED, ..Request::mptcp(family) };
            self.dump(request, |received| {
                parse_connection(received).map(|found| found.iter().for_each(&mut each))
            })?;
        }
        Ok(())
    }

    /// Fails with `ENOENT` if the kernel does not list connections at all. Matches none, so that it does not take
    /// longer the more there are.
    pub(crate) fn prove_mptcp(&mut self) -> Result<(), NetlinkError> {
        self.dump(Request { states: 0, ..Request::mptcp(libc::AF_INET) }, |_| Ok(()))
    }

    /// Calls `each` with every subflow of both families.
    pub(crate) fn subflows(
        &mut self,
        mut each: impl FnMut(&DiagSubflow),
    ) -> Result<(), NetlinkError> {
        self.tcp_sockets(|found| {
            if let Found::Subflow(subflow) = found {
                each(subflow);
            }
        })
    }

    /// Calls `each` with every TCP socket of both families.
    ///
    /// # Errors
    /// [`NO_TCP_DIAG`] if the kernel does not list TCP sockets at all.
    pub(crate) fn tcp_sockets(&mut self, mut each: impl FnMut(&Found)) -> Result<(), NetlinkError> {
        self.prove_tcp()?;
        for family in [libc::AF_INET, libc::AF_INET6] {
            let request = Request {
                states: Request::CONNECTED,
                extensions: diag::EXT_INFO | diag::EXT_CONG,
                ..Request::tcp(family)
            };
            self.dump(request, |received| {
                each(&parse_tcp_socket(received)?);
                Ok(())
            })?;
        }
        Ok(())
    }

    fn dump(
        &mut self,
        request: Request,
        each: impl FnMut(&Received<'_>) -> Result<(), NetlinkError>,
    ) -> Result<(), NetlinkError> {
        let message = request.message(diag::SOCK_DIAG_BY_FAMILY, libc::NLM_F_DUMP);
        self.netlink.request(message, each)
    }
}

impl AsFd for SockDiag {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}
