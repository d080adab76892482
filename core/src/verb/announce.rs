//! Telling the peer of a local address.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::door::address_ids::unused_id;
use crate::door::events::follow;
use crate::door::path_manager::path_manager;
use crate::door::{self, Door, LocalEnd, Why, Withdraw};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::interface::interface_of;
use crate::shared::listener::{Listen, listen_by};
use crate::shared::path_manager::PathManager;
use crate::shared::ready::is_ready;
use crate::shared::socket_state::{MptcpState, SocketState, not_mptcp_error, state_of};
use crate::sys::event::KernelEvents;
use crate::sys::path_manager::PathManagerSocket;
use crate::sys::{cache, fork, mptcp, socket};
use crate::table::{Type, Typed, operation, options};

options! {
    /// Which address to announce, and how.
    pub struct Announce {
        optional {}
        optional_number {
            /// The port that the peer should connect to; 0 chooses a free one. With one, a
            /// listener is kept there, on the interface that owns the address: the peer needs it
            /// to join us. Without, the peer uses the port that this end of the connection has,
            /// and something must be listening there: right for a server.
            port: u16,
        }
        default {
            /// How many strangers may wait at the listener to be turned away.
            backlog: u32 = 128,
        }
    }
}

operation! {
    /// Tells the peer of one more local address, so that it can open subflows to it (ADD_ADDR).
    ///
    /// The result owns the announcement: dropped or closed, the address is withdrawn, and subflows
    /// that use it are closed. With a port it keeps a listener for the peer; call
    /// [`Announced::turn_away`] when its descriptor becomes readable, and strangers who connect
    /// there are reset.
    ///
    /// # Errors
    /// - `NotConnected`, `Closed`, `NotMptcp`: there is no peer to tell.
    /// - `NotReady`: send or receive something first.
    /// - `NotControlled`, `NotPermitted`, `OtherNamespace`: not ours to steer, or not from here.
    /// - `AddressNotAvailable` for a port that is taken, or an address with one that is not ours.
    /// - `Unsupported` for IPv6 with a port that was not left to us, beside TCP timestamps.
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
    const OPERATION: &str = "announce";
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(Error::argument(OPERATION, format!("{ip} is no address of an interface"))
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
        SocketState::Tcp | SocketState::FellBack => return Err(error(ErrorKind::NotMptcp)),
    }
    let door = door::choose();
    if path_manager(door, sock, &info) == PathManager::Kernel {
        return Err(error(ErrorKind::NotControlled));
    }
    let token = info.raw.mptcpi_token;
    let events = follow(door, Some(sock), OPERATION)?;
    events.set_buffer(0);
    // Only now: of a connection in another namespace, or in another's hands, it would say "not yet".
    if !is_ready(sock, token) {
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
    announced.withdrawal = Some(send(door, sock, token, &mut announced.local)?);
    Ok(announced)
}

/// A listener that answers by the interface that owns the address: by the default route the answer
/// would leave with another interface's address, and the first strict router would drop it.
fn listen_for_peer(sock: BorrowedFd<'_>, address: SocketAddr, backlog: u32) -> Result<OwnedFd> {
    const OPERATION: &str = "announce";
    let options = Listen::new().backlog(backlog).only_v6(address.is_ipv6());
    let remote = socket::peer_address(sock).map_err(|e| Error::from_io(OPERATION, &e))?;
    let interface = interface_of(sock, address.ip(), remote, OPERATION)?;
    let listener = listen_by(interface, address, &options, OPERATION)?;
    // Two who turn strangers away at once must not wait for each other's.
    socket::set_nonblocking(listener.as_fd(), true).map_err(|e| Error::from_io(OPERATION, &e))?;
    Ok(listener)
}

/// Announces under an id that is free, again where somebody took it in between.
fn send(
    door: &dyn Door,
    sock: BorrowedFd<'_>,
    token: u32,
    local: &mut LocalEnd,
) -> Result<Box<dyn Withdraw>> {
    const OPERATION: &str = "announce";
    const TRIES: usize = 8;
    let mut last = Error::new(ErrorKind::InvalidArgument, OPERATION);
    for _ in 0..TRIES {
        let known = cache::about(sock, |netlink: &mut PathManagerSocket| netlink.addresses(token));
        let known = known.unwrap_or_default();
        let same = known.iter().find(|known| known.ip == local.ip && known.port == local.port);
        local.id = match same {
            Some(same) if same.is_announced => {
                return Err(Error::new(ErrorKind::InvalidState, OPERATION)
                    .detail(format!("{} is announced already, as address {}", local.ip, same.id))
                    .with_remedy("Withdraw it first, or announce it with another port."));
            }
            Some(same) => same.id,
            None => {
                let unused = unused_id(sock, token, &known, OPERATION)?;
                unused.claim(door, sock, token, OPERATION)?;
                unused.id
            }
        };
        match door.announce(sock, token, *local) {
            Ok(withdrawal) => return Ok(withdrawal),
            Err(refused) if refused.why == Why::Invalid => {
                last = refused.during(OPERATION).with_kind(ErrorKind::InvalidArgument);
            }
            Err(refused) => return Err(refused.during(OPERATION)),
        }
    }
    Err(last)
}

/// An address that the peer was told of. Dropped, it is withdrawn.
#[derive(Debug)]
pub struct Announced {
    local: LocalEnd,
    address: SocketAddr,
    listener: Option<OwnedFd>,
    backlog: usize,
    /// A fork of the process that announced has a copy of this, and nothing to withdraw.
    generation: u64,
    /// Never read. The kernel takes subflows that come to a controlled connection only while
    /// somebody follows events (`mptcp_userspace_pm_active` in `net/mptcp/pm_userspace.c`).
    _events: KernelEvents,
    /// Used once, when the address has been announced.
    withdrawal: Option<Box<dyn Withdraw>>,
}

impl Announced {
    /// Opens the listener that a peer needs who is told of a port.
    fn listen(&mut self, sock: BorrowedFd<'_>, port: u16, backlog: u32) -> Result<()> {
        const OPERATION: &str = "announce";
        let ip = self.local.ip;
        // Told without a port, the peer takes the one that it knows this end of the connection by.
        let own = match ip.is_ipv6() && !mptcp::tells_v6_ports(sock) {
            true => {
                Some(socket::local_address(sock).map_err(|e| Error::from_io(OPERATION, &e))?.port())
            }
            false => None,
        };
        if own.is_some_and(|own| port != 0 && port != own) {
            return Err(Error::new(ErrorKind::Unsupported, OPERATION)
                .detail(
                    "beside TCP timestamps this kernel has no room for an IPv6 address and a port",
                )
                .with_remedy(
                    "Leave the choice of the port to us (0), or switch net.ipv4.tcp_timestamps \
                     off.",
                ));
        }
        let listener = listen_for_peer(sock, SocketAddr::new(ip, own.unwrap_or(port)), backlog)?;
        let bound =
            socket::local_address(listener.as_fd()).map_err(|e| Error::from_io(OPERATION, &e))?;
        self.address.set_port(bound.port());
        self.local.port = if own.is_some() { 0 } else { bound.port() };
        self.listener = Some(listener);
        Ok(())
    }

    /// The address id that the peer knows it by.
    pub fn id(&self) -> u8 {
        self.local.id
    }

    /// The address; its port is 0 where none was announced.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The listener, which becomes readable when a stranger has connected. A peer that joins us
    /// does not show here.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(AsFd::as_fd)
    }

    /// Resets every stranger who waits at the listener; gives how many. Never waits.
    ///
    /// Where nobody calls this, strangers wait, up to the backlog; beyond it the listener answers
    /// nobody, the peer neither.
    ///
    /// # Errors
    /// `Os` where the process has too many descriptors.
    pub fn turn_away(&self) -> Result<usize> {
        let Some(listener) = &self.listener else { return Ok(0) };
        // More than may wait at once have come meanwhile: the descriptor is readable again.
        for count in 0..=self.backlog {
            match socket::accept_now(listener.as_fd()) {
                Ok(stranger) => reset_on_close(&stranger),
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => return Ok(count),
                Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => {}
                Err(error) => return Err(Error::from_io("announce", &error)),
            }
        }
        Ok(self.backlog)
    }

    /// Withdraws the address and closes its subflows.
    ///
    /// # Errors
    /// `Closed` where the connection is over: there was nothing left to withdraw.
    pub fn withdraw(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let Some(mut withdrawal) = self.withdrawal.take() else { return Ok(()) };
        if self.generation != fork::generation() {
            return Ok(());
        }
        withdrawal.withdraw().map_err(|refused| match refused.why {
            Why::Invalid => refused.during("announce").with_kind(ErrorKind::Closed),
            _ => refused.during("announce"),
        })
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// A stranger learns at once that nobody is here.
fn reset_on_close(stranger: &OwnedFd) {
    let linger = [1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat();
    // Where it fails, the stranger sees an orderly end instead.
    let _ = socket::set_bytes(stranger.as_fd(), libc::SOL_SOCKET, libc::SO_LINGER, &linger);
}
