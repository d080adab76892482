//! Telling the peer of a local address.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::PathManager;
use crate::connect::os;
use crate::door::door;
use crate::error::{Error, ErrorKind, Result};
use crate::listen::{Listen, listen_on};
use crate::plan;
use crate::state::{Observed, Phase, explain, observe};
use crate::sys::cache;
use crate::sys::mptcp;
use crate::sys::path_manager::{LocalAddress, PmNetlink};
use crate::sys::socket;
use crate::table::{Ty, operation, options};

options! {
    /// Which address to announce, and how.
    pub struct Announce {
        maybe {
            /// The port that the peer should connect to. With one, a listener is kept there, which
            /// the peer needs to join us. Without, the peer uses the port that this end of the
            /// connection has, and something must be listening there: right for a server.
            port: u16,
        }
        set {
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
    /// there are reset. Needs `CAP_NET_ADMIN` and a connection that the application controls;
    /// Linux 5.19.
    ///
    /// # Errors
    /// - `NotConnected`, `Closed`, `NotMptcp`: there is no peer to tell.
    /// - `NotReady`: send or receive something first.
    /// - `NotControlled`, `NotPermitted`, `OtherNamespace`: not ours to steer, or not from here.
    /// - `AddressNotAvailable` where the address is not ours or the port is taken.
    ///
    /// ```no_run
    /// # let stream = std::net::TcpStream::connect("server.example:443")?;
    /// let here = subflows::announce(&stream, "192.0.2.7".parse()?, &Default::default())?;
    /// println!("announced as address {}", here.id());
    /// here.withdraw()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    row ANNOUNCE(sock: Ty::Socket, address: Ty::Ip, options: Ty::Options("Announce"))
        -> Ty::Handle("Announced"), NetAdmin,
        [NotConnected Closed NotMptcp NotReady NotControlled NotPermitted OtherNamespace
         AddressNotAvailable];
    pub fn announce(sock: &impl AsFd, address: IpAddr, options: &Announce) -> Result<Announced> {
        announce_fd(sock.as_fd(), address.to_canonical(), options)
    }
}

fn announce_fd(sock: BorrowedFd<'_>, ip: IpAddr, options: &Announce) -> Result<Announced> {
    const OPERATION: &str = "announce";
    let info = mptcp::info(sock).map_err(|error| explain(sock, OPERATION, &error))?;
    let error = |kind| Error::new(kind, OPERATION);
    match observe(sock, OPERATION)? {
        Observed::Mptcp(_, Phase::Connected) => {}
        Observed::Mptcp(_, Phase::Connecting) => return Err(error(ErrorKind::NotReady)),
        Observed::Mptcp(_, Phase::Unconnected | Phase::Listening) => {
            return Err(error(ErrorKind::NotConnected));
        }
        Observed::Mptcp(..) => return Err(error(ErrorKind::Closed)),
        Observed::Tcp | Observed::FellBack => return Err(error(ErrorKind::NotMptcp)),
    }
    if crate::status::path_manager(sock, &info) == PathManager::Kernel {
        return Err(error(ErrorKind::NotControlled));
    }
    if !crate::status::is_ready(sock) {
        return Err(error(ErrorKind::NotReady));
    }
    let port = options.port.unwrap_or(0);
    let listener = match options.port {
        Some(port) => {
            let backlog = Listen::new().backlog(options.backlog).only_v6(ip.is_ipv6());
            let listener = listen_on(SocketAddr::new(ip, port), &backlog)
                .map_err(|error| error.during(OPERATION))?;
            Some(listener)
        }
        None => None,
    };
    let port = match &listener {
        Some(listener) if port == 0 => {
            socket::local_address(listener.as_fd()).map_err(|e| os(OPERATION, &e))?.port()
        }
        _ => port,
    };
    let token = info.raw.mptcpi_token;
    let mut local = LocalAddress::new(ip, 0);
    local.port = port;
    local.is_announced = true;
    let id = tell(sock, token, local)?;
    Ok(Announced { token, id, address: SocketAddr::new(ip, port), listener, is_withdrawn: false })
}

/// Announces under an id that is free, again where somebody took it in between.
fn tell(sock: BorrowedFd<'_>, token: u32, mut local: LocalAddress) -> Result<u8> {
    const OPERATION: &str = "announce";
    const TRIES: usize = 8;
    let mut last = Error::new(ErrorKind::InvalidState, OPERATION)
        .detail("all 255 address ids of this connection are in use")
        .with_remedy("Withdraw an address first.");
    for _ in 0..TRIES {
        let known = cache::about(sock, |netlink: &mut PmNetlink| netlink.addresses(token));
        let known = known.unwrap_or_default();
        let same = known.iter().find(|known| known.ip == local.ip && known.port == local.port);
        let used: HashSet<u8> = known.iter().map(|known| known.id).collect();
        let Some(id) = same.map(|same| same.id).or_else(|| plan::free_id(&used)) else { break };
        local.id = id;
        match door().announce(sock, token, &local) {
            Ok(()) => return Ok(id),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                last = error.during(OPERATION).with_kind(ErrorKind::InvalidArgument);
            }
            Err(error) => return Err(error.during(OPERATION)),
        }
    }
    Err(last)
}

/// An address that the peer was told of. Dropped, it is withdrawn.
#[derive(Debug)]
pub struct Announced {
    token: u32,
    id: u8,
    address: SocketAddr,
    listener: Option<OwnedFd>,
    is_withdrawn: bool,
}

impl Announced {
    /// The address id that the peer knows it by.
    pub fn id(&self) -> u8 {
        self.id
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
        let mut count = 0;
        while socket::poll_now(listener.as_fd(), libc::POLLIN)
            .is_ok_and(|events| events & libc::POLLIN != 0)
        {
            match socket::accept_now(listener.as_fd()) {
                Ok(stranger) => {
                    reset_on_close(&stranger);
                    count += 1;
                }
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => break,
                Err(error) if error.raw_os_error() == Some(libc::ECONNABORTED) => {}
                Err(error) => return Err(os("announce", &error)),
            }
        }
        Ok(count)
    }

    /// Withdraws the address and closes its subflows.
    ///
    /// # Errors
    /// `Closed` where the connection is over: there was nothing left to withdraw.
    pub fn withdraw(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.is_withdrawn, true) {
            return Ok(());
        }
        door().remove(self.token, self.id).map_err(|error| match error.raw_os_error() {
            Some(libc::EINVAL) => error.during("announce").with_kind(ErrorKind::Closed),
            _ => error.during("announce"),
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
