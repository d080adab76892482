//! What an error of the network means: which route, firewall or lack of ports is behind it.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::cause::{self, Cause};
use crate::error::{Error, ErrorKind};
use crate::shared::interface::name_of;
use crate::sys::{address, namespace, socket};

/// From where and by which interface an attempt goes out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    /// A socket of the same network namespace, with the mark of the attempt.
    pub(crate) sock: BorrowedFd<'a>,
    /// The local address; unspecified if the routing table chooses.
    pub(crate) local: IpAddr,
    pub(crate) remote: SocketAddr,
    /// The index of the interface; 0 if the routing table chooses.
    pub(crate) interface: u32,
}

impl<'a> Way<'a> {
    /// The way of a socket that connects.
    pub(crate) fn of(sock: BorrowedFd<'a>, remote: SocketAddr) -> Way<'a> {
        let index = socket::get_i32(sock, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX).unwrap_or(0);
        let local = socket::local_address(sock).map_or(unspecified(remote), |local| local.ip());
        Way { sock, local, remote, interface: u32::try_from(index).unwrap_or(0) }
    }

    /// Reports what the kernel answers to the attempt before it sends anything: the error of a datagram
    /// socket that is connected in the same way, which sends nothing.
    ///
    /// rtnetlink, which [`Destination`](crate::shared::route::Destination) asks for the route, would not
    /// do: a program that only connects may be denied netlink (RestrictAddressFamilies), and for IPv6
    /// rtnetlink answers for a source address that the host does not have.
    fn answer(self) -> Result<(), i32> {
        let connect = || {
            let remote = match self.remote {
                SocketAddr::V6(v6) => address::unmapped(v6),
                v4 => v4,
            };
            let probe = probe(self.sock, remote)?;
            let probe = probe.as_fd();
            if let Ok(mark @ 1..) = socket::get_i32(self.sock, libc::SOL_SOCKET, libc::SO_MARK) {
                socket::set_i32(probe, libc::SOL_SOCKET, libc::SO_MARK, mark)?;
            }
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

    /// Returns what on this host refuses an attempt that failed with this error number: the type of the
    /// route, or the local address.
    pub(crate) fn blocked_by(self, errno: i32) -> Option<Cause> {
        let cause = rejection(self.local, self.remote.ip(), errno)?;
        (self.answer() == Err(errno)).then_some(cause)
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
            return self.rejected(cause, error);
        }
        match errno {
            // A router may have answered so as well.
            libc::ENETUNREACH if self.answer() == Err(errno) => self.no_route(operation),
            // A port is missing, not an address, if a datagram socket gets both.
            libc::EADDRNOTAVAIL | libc::EADDRINUSE if self.answer().is_ok() => {
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

    /// Gives an error the cause for which this host refuses the attempt.
    pub(crate) fn rejected(self, cause: Cause, error: Error) -> Error {
        let detail = format!("{} cannot be reached: {}", self.remote.ip(), cause.what);
        cause.explain(error).detail(detail)
    }

    /// Returns the error for a missing route.
    pub(crate) fn no_route(self, operation: &'static str) -> Error {
        let detail = format!("no route leads to {}{}", self.remote.ip(), self.by());
        Error::os(operation, libc::ENETUNREACH).detail(detail).with_remedy(self.route_command())
    }

    /// Completes an error of the kind `Unreachable`: the remedy asks for the route of this way.
    pub(crate) fn unreachable(self, error: Error) -> Error {
        let detail = format!("{} cannot be reached{}", self.remote, self.by());
        error.detail(detail).with_remedy(self.route_command())
    }

    /// Names the interface of an attempt that is bound to one.
    fn by(self) -> String {
        let name = |name| format!(" by the interface {name}");
        self.interface_name().map_or(String::new(), name)
    }

    fn route_command(self) -> String {
        let mut command = format!("Check the route: ip route get {}", self.remote.ip());
        if !self.local.is_unspecified() {
            command += &format!(" from {}", self.local);
        }
        if let Some(name) = self.interface_name() {
            command += &format!(" oif {name}");
        }
        command + "."
    }

    /// Returns the name of the interface by which the attempt goes out, if it is bound to one.
    pub(crate) fn interface_name(self) -> Option<String> {
        (self.interface != 0).then(|| name_of(self.sock, self.interface))
    }
}

/// Returns what on this host refuses packets between these addresses, if the kernel's answer has that
/// error number.
pub(crate) fn rejection(local: IpAddr, remote: IpAddr, errno: i32) -> Option<Cause> {
    Some(match errno {
        libc::EACCES => cause::PROHIBIT_ROUTE,
        // The kernel also answers this for a packet that would leave with such an address.
        libc::EINVAL
            if local.to_canonical().is_loopback() && !remote.to_canonical().is_loopback() =>
        {
            cause::LOOPBACK_ADDRESS
        }
        libc::EINVAL => cause::BLACKHOLE_ROUTE,
        libc::EHOSTUNREACH => cause::UNREACHABLE_ROUTE,
        _ => return None,
    })
}

/// Makes a datagram socket of that address's family, to try something that sends nothing. Fails if the
/// thread is in another network namespace than the socket.
pub(crate) fn probe(sock: BorrowedFd<'_>, like: SocketAddr) -> std::io::Result<OwnedFd> {
    let family = if like.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let probe = socket::new(family, libc::SOCK_DGRAM, 0)?;
    if namespace::cookie(probe.as_fd()) != namespace::cookie(sock) {
        return Err(std::io::Error::from_raw_os_error(libc::ENXIO));
    }
    Ok(probe)
}

/// Returns the wildcard address of that address's family.
pub(crate) fn unspecified(like: SocketAddr) -> IpAddr {
    match like {
        SocketAddr::V4(_) => IpAddr::from([0u8; 4]),
        SocketAddr::V6(_) => IpAddr::from([0u8; 16]),
    }
}
