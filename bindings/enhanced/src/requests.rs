//! The options 66 to 72: list, close, addresses, open, and the options of one subflow.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{AddressFamily, SocketAddrAny, SocketType};
use subflows::{Error, ErrorKind, Open, OptionValue, PathManager, SubflowOption};

use crate::connection::{follow, live_subflow, require_mptcp, statuses};
use crate::errno::{Errno, NO_SUCH_ID, NO_SUCH_OPTION, NOT_MPTCP, NOT_PERMITTED, errno};
use crate::held::Held;
use crate::ids::Named;
use crate::layout::{SubStatus, canonical};
use crate::pending::Pending;
use crate::registry::Registry;
use crate::worker;

const TCP_INFO: (i32, i32) = (6, 11);
const TCP_CONGESTION: (i32, i32) = (6, 13);
const IP_TOS: (i32, i32) = (0, 1);
const IPV6_TCLASS: (i32, i32) = (41, 67);

/// Lists the subflows, newest first (`MPTCP_GET_SUB_IDS`).
pub fn ids(sock: BorrowedFd<'_>) -> Result<Vec<SubStatus>, Errno> {
    statuses(&mut Registry::lock(), sock)
}

/// Closes a subflow, also the last one (`MPTCP_CLOSE_SUB_ID`). A request that is still to be carried out is
/// withdrawn.
pub fn close(sock: BorrowedFd<'_>, id: u8) -> Result<(), Errno> {
    let mut registry = Registry::lock();
    let (held, _) = follow(&mut registry, sock)?;
    let ids = &mut registry.connection(held).ids;
    match ids.named(id).ok_or(NO_SUCH_ID)? {
        Named::Subflow(subflow) => {
            subflows::force_close(&sock, subflow).map_err(|error| errno(&error))?;
        }
        // The end of the request closes what it has begun to open.
        Named::Request(number) => registry.pending.retain(|pending| pending.number != number),
    }
    registry.connection(held).ids.release(id);
    Ok(())
}

/// Reports the addresses of a subflow, local and remote (`MPTCP_GET_SUB_TUPLE`). Of a request that is still to be
/// carried out, those of the request.
pub fn tuple(sock: BorrowedFd<'_>, id: u8) -> Result<(SocketAddr, SocketAddr), Errno> {
    let mut registry = Registry::lock();
    match live_subflow(&mut registry, sock, id) {
        Ok(subflow) => Ok((subflow.local, subflow.remote)),
        Err(NO_SUCH_ID) => {
            let held = Held::new(sock)?;
            let Some(Named::Request(number)) = registry.connection(held).ids.named(id) else {
                return Err(NO_SUCH_ID);
            };
            let found = registry.request(held, number).ok_or(NO_SUCH_ID)?;
            Ok((found.local, found.remote))
        }
        Err(other) => Err(other),
    }
}

/// Opens a subflow, and returns its id at once (`MPTCP_OPEN_SUB_TUPLE`). Returns 0 if all ids are in use.
///
/// Port 0 of `local` chooses one, and an unspecified address leaves the choice to the routing table. Port 0 of
/// `remote` is the peer's port of the connection. The subflow is usable once the list shows it as fully
/// established; if it is refused, it is no longer listed.
pub fn open(sock: BorrowedFd<'_>, local: SocketAddr, remote: SocketAddr) -> Result<u8, Errno> {
    if require_mptcp(sock)? == PathManager::Kernel {
        return Err(NOT_PERMITTED);
    }
    let peer = rustix::net::getpeername(sock).map_err(|_| NOT_MPTCP)?.ok_or(NOT_MPTCP)?;
    let peer = canonical(SocketAddr::try_from(peer).map_err(|_| NOT_MPTCP)?);
    let (local, mut remote) = (canonical(local), canonical(remote));
    if remote.port() == 0 {
        remote.set_port(peer.port());
    }
    if remote.ip().is_unspecified() {
        remote.set_ip(peer.ip());
    }
    try_addresses(local, remote)?;
    let mut options = Open::new().remote(remote).local_port(local.port());
    if !local.ip().is_unspecified() {
        options = options.local(local.ip());
    }
    let mut registry = Registry::lock();
    let (held, _) = follow(&mut registry, sock)?;
    registry.last += 1;
    let number = registry.last;
    // The published kernel did not report that its indexes were used up.
    let Some(id) = registry.connection(held).ids.assign(Named::Request(number)) else {
        return Ok(0);
    };
    match Pending::begin(number, held, (local, remote), options) {
        Ok(begun) => worker::add(&mut registry, begun),
        Err(error) => {
            registry.connection(held).ids.release(id);
            return Err(errno(&error));
        }
    }
    Ok(id)
}

/// Makes the calls that the kernel made for the new subflow, and returns their error: bind(2), and as far as
/// routes go, connect(2).
fn try_addresses(local: SocketAddr, remote: SocketAddr) -> Result<(), Errno> {
    let family = if remote.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    if local.is_ipv4() != remote.is_ipv4() && !local.ip().is_unspecified() {
        return Err(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    }
    let number = |error: rustix::io::Errno| match error {
        // For a link-local address without a scope, which the connection may have.
        rustix::io::Errno::INVAL => None,
        other => Some(other.raw_os_error()),
    };
    let made = |kind| rustix::net::socket(family, kind, None).map_err(|error| error.raw_os_error());
    let local = match (local.ip(), remote.ip()) {
        (from, IpAddr::V6(_)) if from.is_unspecified() => {
            (std::net::Ipv6Addr::UNSPECIFIED, local.port()).into()
        }
        (from, IpAddr::V4(_)) if from.is_unspecified() => {
            (std::net::Ipv4Addr::UNSPECIFIED, local.port()).into()
        }
        _ => local,
    };
    let stream = made(SocketType::STREAM)?;
    if let Some(error) =
        rustix::net::bind(&stream, &SocketAddrAny::from(local)).err().and_then(number)
    {
        return Err(error);
    }
    let datagrams = made(SocketType::DGRAM)?;
    let route = rustix::net::bind(&datagrams, &SocketAddrAny::from(SocketAddr::new(local.ip(), 0)))
        .and_then(|()| rustix::net::connect(&datagrams, &SocketAddrAny::from(remote)));
    route.err().and_then(number).map_or(Ok(()), Err)
}

/// Gets an option of one subflow (`MPTCP_SUB_GETSOCKOPT`). Returns its length.
pub fn get_option(
    sock: BorrowedFd<'_>,
    id: u8,
    level: i32,
    option: i32,
    value: &mut [u8],
) -> Result<usize, Errno> {
    let subflow = live_subflow(&mut Registry::lock(), sock, id)?.id;
    let typed = |option| subflows::get_option(&sock, subflow, option);
    let answer = match (level, option) {
        // These need no privilege.
        TCP_CONGESTION => typed(SubflowOption::CongestionControl),
        IP_TOS | IPV6_TCLASS => typed(SubflowOption::TrafficClass),
        _ => {
            let (level, option) = (level as u32, option as u32);
            subflows::get_raw_option(&sock, subflow, level, option, value.len() as u32)
        }
    };
    let bytes = match answer.map_err(|error| option_errno(&error))? {
        OptionValue::Bytes(bytes) => bytes,
        OptionValue::Number(number) => (number as u32).to_ne_bytes().into(),
        OptionValue::Switch(on) => u32::from(on).to_ne_bytes().into(),
        OptionValue::Name(name) => {
            let mut bytes = name.into_bytes();
            bytes.resize(crate::layout::NAME_MAX, 0);
            bytes
        }
    };
    let length = bytes.len().min(value.len());
    value[..length].copy_from_slice(&bytes[..length]);
    Ok(length)
}

/// Sets an option of one subflow (`MPTCP_SUB_SETSOCKOPT`).
pub fn set_option(
    sock: BorrowedFd<'_>,
    id: u8,
    level: i32,
    option: i32,
    value: &[u8],
) -> Result<(), Errno> {
    if (level, option) == TCP_INFO {
        return Err(NO_SUCH_OPTION);
    }
    let subflow = live_subflow(&mut Registry::lock(), sock, id)?.id;
    subflows::set_raw_option(&sock.as_fd(), subflow, level as u32, option as u32, value)
        .map_err(|error| option_errno(&error))
}

/// The number for a failed option of a subflow, whose own `EINVAL` comes through.
fn option_errno(error: &Error) -> Errno {
    let invalid = rustix::io::Errno::INVAL.raw_os_error();
    if error.kind() == ErrorKind::InvalidArgument { invalid } else { errno(error) }
}
