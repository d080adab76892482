//! Announcing a local address to the peer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::door::common::address_ids::{known_addresses, unused_id};
use crate::door::common::events::follow;
use crate::door::common::path_manager::path_manager;
use crate::door::{self, Door, LocalEnd, Why, Withdraw};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::connected::Connected;
use crate::shared::listener::listen_on;
use crate::shared::not_controlled::not_controlled;
use crate::shared::path_manager::PathManager;
use crate::shared::ready::is_ready;
use crate::shared::route::{Destination, Owner};
use crate::shared::socket_state::{MptcpState, SocketState, not_mptcp_error, plain_tcp, state_of};
use crate::sys::event::KernelEvents;
use crate::sys::{fcntl, fork, mptcp, socket};
use crate::table::{Type, Typed, operation, options};

const OPERATION: &str = "announce";

options! {
    /// Options of `announce`.
    pub struct Announce {
        optional {}
        optional_number {
            /// The port that the peer connects to; 0 chooses a free one. The library then listens on
            /// it, on the interface that owns the address, because the peer can only join where a
            /// socket listens. Without it, the peer uses the port of this end of the connection, on
            /// which the program must already listen, as a server does.
            port: u16,
        }
        default {
            /// The number of connections of other hosts that may wait at the listener until
            /// `Announced::turn_away` resets them.
            backlog: u32 = 128,
        }
    }
}

operation! {
    /// Announces a local address to the peer (ADD_ADDR), so that the peer can open subflows to it.
    ///
    /// The result owns the announcement. When it is closed or dropped, the address is withdrawn and the
    /// subflows that use it are closed. If a port is announced, the result also owns a listener for the
    /// peer. When the listener's descriptor becomes readable, another host has connected to it: call
    /// [`Announced::turn_away`], which resets such connections.
    ///
    /// # Errors
    /// - `NotConnected`, `Closed`, `NotMptcp`: the socket has no Multipath TCP connection.
    /// - `NotReady`: no data has been acknowledged yet. Send or receive data first.
    /// - `NotControlled`: the kernel's path manager manages the connection.
    /// - `NotPermitted` without the privilege; `OtherNamespace` from another network namespace.
    /// - `AddressNotAvailable` if the port is in use, or if a port is announced with an address that
    ///   does not belong to this host.
    /// - `Unsupported` for IPv6 with another port than 0 if TCP timestamps are on.
    ///
    /// ```no_run
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    /// let here = subflows::announce(&stream, "192.0.2.7".parse()?, &Default::default())?;
    /// println!("announced as address {}", here.id());
    /// here.withdraw()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row ANNOUNCE(sock: Type::Socket, address: Type::Ip, options: Announce::TYPE)
        -> Type::Handle("Announced"),
        requires NetAdmin and "a connection that the application controls", since "5.19",
        [NotConnected Closed NotMptcp NotReady NotControlled NotPermitted OtherNamespace
         AddressNotAvailable Unsupported];
    pub fn announce(sock: &impl AsFd, address: IpAddr, options: &Announce) -> Result<Announced> {
        announce_fd(sock.as_fd(), address.to_canonical(), options)
    }
}

fn announce_fd(sock: BorrowedFd<'_>, ip: IpAddr, options: &Announce) -> Result<Announced> {
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(Error::argument(OPERATION, format!("{ip} is not an address of an interface"))
            .with_remedy("Announce an address of this host: ip address."));
    }
    let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, OPERATION, &error))?;
    let error = |kind| Error::new(kind, OPERATION);
    match state_of(sock, OPERATION)? {
        SocketState::Mptcp(_, MptcpState::Connected) => {}
        SocketState::Mptcp(_, MptcpState::Connecting) => return Err(error(ErrorKind::NotReady)),
        SocketState::Mptcp(_, MptcpState::Unconnected | MptcpState::Listening) => {
            return Err(error(ErrorKind::NotConnected));
        }
        SocketState::Mptcp(..) => return Err(error(ErrorKind::Closed)),
        SocketState::Tcp => return Err(plain_tcp(sock, OPERATION)),
        SocketState::FellBack => return Err(error(ErrorKind::NotMptcp)),
    }
    let door = door::choose();
    if path_manager(door, sock, &info) == PathManager::Kernel {
        return Err(not_controlled(sock, OPERATION));
    }
    let connection = Connected::new(sock, &info);
    let events = follow(door, Some(sock), OPERATION)?;
    events.set_buffer(0);
    // Checked last, because the answer is also no for a connection of another network namespace, and for
    // one that the kernel manages.
    if !is_ready(connection) {
        return Err(error(ErrorKind::NotReady));
    }
    let mut announced = Announced {
        local: LocalEnd::new(ip),
        address: SocketAddr::new(ip, 0),
        listener: None,
        backlog: options.backlog as usize,
        generation: fork::generation(),
        _events: events,
        withdrawal: None,
    };
    if let Some(port) = options.port {
        announced.listen(sock, port, options.backlog)?;
    }
    announced.withdrawal = Some(send(door, connection, &mut announced.local)?);
    Ok(announced)
}

/// Listens on the interface that owns the address, if it leads to the peer. Otherwise the answers would
/// leave by the default route, with an address of another interface, and the first strict router would
/// drop them. Of an address on an interface that leads nowhere, the peer's segments arrive by another.
fn listen_for_peer(sock: BorrowedFd<'_>, address: SocketAddr, backlog: u32) -> Result<OwnedFd> {
    let remote = socket::peer_address(sock).map_err(|e| Error::from_io(OPERATION, &e))?;
    // If several interfaces own the address, the peer's segments may arrive by each of them.
    let interface = match Destination::new(sock, remote, OPERATION).owner_of(address.ip())? {
        Owner::Interface(index) => index,
        _ => 0,
    };
    let listener = listen_on(address, interface, backlog, address.is_ipv6(), OPERATION)?;
    // Two threads may reset connections at the same time, and neither may block in accept.
    fcntl::set_nonblocking(listener.as_fd(), true).map_err(|e| Error::from_io(OPERATION, &e))?;
    Ok(listener)
}

/// Announces the address with an unused id. Tries again if another thread has just used the id.
fn send(
    door: &dyn Door,
    connection: Connected<'_>,
    local: &mut LocalEnd,
) -> Result<Box<dyn Withdraw>> {
    const TRIES: usize = 8;
    let mut last = Error::new(ErrorKind::InvalidArgument, OPERATION);
    for _ in 0..TRIES {
        let known = known_addresses(connection).unwrap_or_default();
        let same = known.iter().find(|known| known.ip == local.ip && known.port == local.port);
        local.id = match same {
            Some(same) if same.is_announced => {
                return Err(Error::new(ErrorKind::InvalidState, OPERATION)
                    .detail(format!(
                        "{} is already announced, with address id {}",
                        local.ip, same.id
                    ))
                    .with_remedy("Withdraw it first, or announce it with another port."));
            }
            Some(same) => same.id,
            None => {
                let unused = unused_id(connection, &known, OPERATION)?;
                unused.claim(door, connection, OPERATION)?;
                unused.id
            }
        };
        match door.announce(connection, *local) {
            Ok(withdrawal) => return Ok(withdrawal),
            Err(refused) if refused.why == Why::Rejected => {
                last = refused
                    .during(OPERATION)
                    .with_kind(ErrorKind::InvalidArgument)
                    .with_remedy("Announce an address of this host: ip address.");
            }
            Err(refused) => return Err(refused.during(OPERATION)),
        }
    }
    Err(last)
}

/// An announced address. When the value is dropped, the address is withdrawn.
///
/// Made by [`announce`].
#[derive(Debug)]
pub struct Announced {
    local: LocalEnd,
    address: SocketAddr,
    listener: Option<OwnedFd>,
    backlog: usize,
    /// A fork of the process has a copy of this value, and must not withdraw the address.
    generation: u64,
    /// Never read. The kernel accepts subflows that the peer opens to a controlled connection only while
    /// a process follows events (`mptcp_userspace_pm_active` in `net/mptcp/pm_userspace.c`).
    _events: KernelEvents,
    /// Taken when the address is withdrawn.
    withdrawal: Option<Box<dyn Withdraw>>,
}

impl Announced {
    /// Opens the listener that the peer connects to if a port is announced.
    fn listen(&mut self, sock: BorrowedFd<'_>, port: u16, backlog: u32) -> Result<()> {
        let ip = self.local.ip;
        // If the announcement has no port, the peer uses the port of this end of the connection.
        let own = if ip.is_ipv6() && !mptcp::can_announce_v6_port(sock) {
            let local = socket::local_address(sock).map_err(|e| Error::from_io(OPERATION, &e))?;
            Some(local.port())
        } else {
            None
        };
        if own.is_some_and(|own| port != 0 && port != own) {
            return Err(Error::new(ErrorKind::Unsupported, OPERATION)
                .detail(
                    "with TCP timestamps, an announcement of this kernel has no room for an IPv6 \
                     address and a port",
                )
                .with_remedy("Pass port 0, or run sysctl net.ipv4.tcp_timestamps=0."));
        }
        let listener = listen_for_peer(sock, SocketAddr::new(ip, own.unwrap_or(port)), backlog)?;
        let bound =
            socket::local_address(listener.as_fd()).map_err(|e| Error::from_io(OPERATION, &e))?;
        self.address.set_port(bound.port());
        self.local.port = if own.is_some() { 0 } else { bound.port() };
        self.listener = Some(listener);
        Ok(())
    }

    /// Returns the address id with which it was announced.
    pub fn id(&self) -> u8 {
        self.local.id
    }

    /// Returns the address and the port; the port is 0 if none was announced.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the descriptor of the listener, or `None` if no port was announced.
    ///
    /// It becomes readable when another host has connected to the listener: call
    /// [`turn_away`](Self::turn_away) then. It does not become readable when the peer joins.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(AsFd::as_fd)
    }

    /// Resets the connections of other hosts that wait at the listener, and returns their number. Never
    /// waits.
    ///
    /// If the program does not call this, such connections fill the backlog. Once it is full, the
    /// listener answers no host, including the peer.
    ///
    /// # Errors
    /// `Os` if the process has too many open descriptors.
    pub fn turn_away(&self) -> Result<usize> {
        let Some(listener) = &self.listener else { return Ok(0) };
        // If more connections come during the call, the descriptor is still readable after it.
        for count in 0..=self.backlog {
            match socket::accept_now(listener.as_fd()) {
                Ok(other) => reset_on_close(&other),
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => return Ok(count),
                Err(error) if is_of_connection(&error) => {}
                Err(error) => return Err(Error::from_io(OPERATION, &error)),
            }
        }
        Ok(self.backlog)
    }

    /// Withdraws the address and closes the subflows that use it.
    ///
    /// # Errors
    /// - `Closed` if the connection has ended, so that there is nothing to withdraw.
    /// - `InvalidState` if the kernel has forgotten the announcement, which it does when a subflow from
    ///   that address is closed or fails, and another process has used the address or its id since.
    pub fn withdraw(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let Some(mut withdrawal) = self.withdrawal.take() else { return Ok(()) };
        if self.generation != fork::generation() {
            return Ok(());
        }
        withdrawal.withdraw().map_err(|refused| match refused.why {
            Why::NotFound => refused.during(OPERATION).with_kind(ErrorKind::Closed),
            _ => refused.during(OPERATION),
        })
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Reports whether an error of accept(2) is one of the connection that waited, and not of the listener.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::ENETDOWN
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
        )
    )
}

/// Makes the close of a connection a reset, which the other host notices at once.
fn reset_on_close(sock: &OwnedFd) {
    let linger = [1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat();
    // If this fails, the other host sees an orderly end instead.
    let _ = socket::set_bytes(sock.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER, &linger);
}
