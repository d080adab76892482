//! What an error of the network means: which route, firewall or lack of ports is behind it.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use crate::cause::{self, Cause};
use crate::error::{Error, ErrorKind};
use crate::sys::{address, interface, socket};

/// From where and by which interface an attempt goes out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// The local address; unspecified if the routing table chooses.
    pub(crate) local: IpAddr,
    pub(crate) remote: SocketAddr,
    /// The index of the interface; 0 if the routing table chooses.
    pub(crate) interface: u32,
}

impl Way {
    /// The way of a socket that connects.
    pub(crate) fn of(sock: BorrowedFd<'_>, remote: SocketAddr) -> Way {
        let index = socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX).unwrap_or(0);
        let local = socket::local_address(sock).map_or(unspecified(remote), |local| local.ip());
        Way { local, remote, interface: u32::try_from(index).unwrap_or(0) }
    }

    /// Reports what the routing table answers: the error of a datagram socket that is connected in the
    /// same way, which sends nothing.
    fn route(self) -> Result<(), i32> {
        let connect = || {
            let remote = match self.remote {
                SocketAddr::V6(v6) => address::unmapped(v6),
                v4 => v4,
            };
            let family = if remote.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
            let probe = socket::new(family, libc::SOCK_DGRAM, 0)?;
            let probe = probe.as_fd();
            if let Ok(index @ 1..) = i32::try_from(self.interface) {
                socket::set_i32(probe, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX, index)?;
            }
            let local = self.local.to_canonical();
            if !local.is_unspecified() && local.is_ipv4() == remote.is_ipv4() {
                socket::bind(probe, (local, 0).into())?;
            }
            socket::connect(probe, remote)
        };
        connect().map_err(|error: std::io::Error| error.raw_os_error().unwrap_or(0))
    }

    /// Returns which type of route refuses an attempt that failed with this error number.
    pub(crate) fn blocked_by(self, errno: i32) -> Option<Cause> {
        let cause = match errno {
            libc::EACCES => cause::PROHIBIT_ROUTE,
            libc::EINVAL => cause::BLACKHOLE_ROUTE,
            libc::EHOSTUNREACH => cause::UNREACHABLE_ROUTE,
            _ => return None,
        };
        (self.route() == Err(errno)).then_some(cause)
    }

    /// Returns the error of an attempt to connect that failed at once: no packet has come back.
    pub(crate) fn refused_here(self, operation: &'static str, errno: i32) -> Error {
        match errno {
            libc::EPERM | libc::EACCES if self.blocked_by(errno).is_none() => {
                let (error, what) = (Error::os(operation, errno), cause::CONNECT_DENIED.what);
                cause::CONNECT_DENIED.explain(error).detail(format!("{}: {what}", self.remote))
            }
            _ => self.error(operation, errno),
        }
    }

    /// Returns the error of an attempt to connect that failed.
    pub(crate) fn error(self, operation: &'static str, errno: i32) -> Error {
        let error = Error::os(operation, errno);
        let remote = self.remote;
        if let Some(cause) = self.blocked_by(errno) {
            let what = cause.what;
            return cause.explain(error).detail(format!("{remote} cannot be reached: {what}"));
        }
        match errno {
            // A port is missing, not an address, if a datagram socket gets both.
            libc::EADDRNOTAVAIL | libc::EADDRINUSE if self.route().is_ok() => {
                cause::NO_PORT_LEFT.explain(error)
            }
            // The answers of firewalls and routers (ICMP) that have other numbers than for a missing
            // route.
            libc::EACCES | libc::ENOPROTOOPT | libc::EOPNOTSUPP | libc::ENONET | libc::EPROTO => {
                let what = cause::REJECTED_ON_PATH.what;
                let detail = format!("{remote} cannot be reached: {what}");
                cause::REJECTED_ON_PATH.explain(error).detail(detail)
            }
            _ => match error.kind() {
                ErrorKind::Refused => error.detail(format!("{remote} refused the connection")),
                ErrorKind::Unreachable => self.unreachable(error),
                ErrorKind::TimedOut => error.detail(format!("{remote} did not answer")),
                _ => error,
            },
        }
    }

    /// Completes an error of the kind `Unreachable`: the remedy asks for the route of this way.
    pub(crate) fn unreachable(self, error: Error) -> Error {
        let mut command = format!("Check the routes: ip route get {}", self.remote.ip());
        if !self.local.is_unspecified() {
            command += &format!(" from {}", self.local);
        }
        if let Some(name) = self.interface_name() {
            command += &format!(" oif {name}");
        }
        error.detail(format!("{} cannot be reached", self.remote)).with_remedy(command + ".")
    }

    /// Returns the name of the interface by which the attempt goes out, if it is bound to one.
    pub(crate) fn interface_name(self) -> Option<String> {
        let probe = socket::new(libc::AF_INET, libc::SOCK_DGRAM, 0).ok()?;
        let name = (self.interface != 0).then(|| interface::name(probe.as_fd(), self.interface));
        Some(name?.ok()?.to_string())
    }
}

fn unspecified(like: SocketAddr) -> IpAddr {
    match like {
        SocketAddr::V4(_) => IpAddr::from([0u8; 4]),
        SocketAddr::V6(_) => IpAddr::from([0u8; 16]),
    }
}
