//! The direct door: this process acts itself, with its own privilege.

mod rights;
mod subflow_option;
mod withdraw;

use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use self::withdraw::DirectWithdraw;
use crate::cause;
use crate::door::common::address_ids::Reserved;
use crate::door::common::path_manager;
use crate::door::{Answer, Door, LocalEnd, Missing, Right, SubflowSocket, Withdraw};
use crate::error::{Error, ErrorKind};
use crate::shared::connected::Connected;
use crate::shared::option_step::OptionStep;
use crate::shared::path_manager::PathManager;
use crate::shared::privilege;
use crate::shared::socket_state::{query_error, require_same_namespace};
use crate::sys::cache::{self, Cached, QueryError};
use crate::sys::event::KernelEvents;
use crate::sys::netlink::NetlinkError;
use crate::sys::path_manager::{LocalAddress, PathManagerSocket};
use crate::sys::sock_diag::SockDiag;
use crate::sys::take_over::{self, Failure, PathManagerSwitch, TakeOver};
use crate::sys::{mptcp, namespace};

/// How long to wait for another process that holds the lock.
const LOCK_BOUND: Duration = Duration::from_secs(1);
/// How many times another program may change the setting before the act fails.
const TAKE_OVER_TRIES: usize = 16;

#[derive(Debug)]
pub(crate) struct Direct;

impl Door for Direct {
    fn take_control(&self, sock: BorrowedFd<'_>) -> Answer {
        const OPERATION: &str = "take_control";
        // The setting that is written is the one of the thread's namespace. A cached netlink socket may
        // be of a namespace that the thread has left, so that it does not show the difference.
        require_same_namespace(sock, OPERATION)?;
        require_right(sock, OPERATION)?;
        let limit = cache::with_socket_for(sock, PathManagerSocket::subflows_max)
            .map_err(|error| query_error(OPERATION, error))?;
        // On older kernels a socket reports the same limits under either path manager. The only
        // proof is then the setting, which was `userspace` while the socket copied it.
        let can_verify = crate::shared::path_manager::addresses_by_token(sock);
        for _ in 0..TAKE_OVER_TRIES {
            match take_over::attempt(sock, LOCK_BOUND)
                .map_err(|failure| take_control_error(OPERATION, failure))?
            {
                TakeOver::Already | TakeOver::Switched
                    if !can_verify || is_taken_over(sock, limit) =>
                {
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(Error::new(ErrorKind::Busy, OPERATION)
            .detail("another program keeps writing net.mptcp.path_manager")
            .with_remedy("Stop the program that writes net.mptcp.path_manager.")
            .into())
    }

    fn create(&self, connection: Connected<'_>, local: LocalEnd, remote: SocketAddr) -> Answer {
        act("SUBFLOW_CREATE", connection.sock, |netlink: &mut PathManagerSocket| {
            netlink.create(connection.token, &address(local), remote)
        })
    }

    fn destroy(&self, connection: Connected<'_>, local: SocketAddr, remote: SocketAddr) -> Answer {
        act("SUBFLOW_DESTROY", connection.sock, |netlink: &mut PathManagerSocket| {
            in_either_family(local, remote, libc::ESRCH, |local, remote| {
                netlink.destroy(connection.token, local, remote)
            })
        })
    }

    fn abort(&self, sock: BorrowedFd<'_>, subflow: SubflowSocket) -> Answer {
        let SubflowSocket { local, remote, interface, cookie } = subflow;
        let destroy = |diag: &mut SockDiag| diag.destroy((local, remote), interface, cookie);
        act("SOCK_DESTROY", sock, destroy).map_err(|refused| {
            refused.map(|error| match error.kind() {
                ErrorKind::Unsupported if error.raw_os_error().is_some() => {
                    cause::NO_DESTROY.explain(error)
                }
                _ => error,
            })
        })
    }

    fn set_backup(
        &self,
        connection: Connected<'_>,
        (local, remote): (SocketAddr, SocketAddr),
        backup: bool,
    ) -> Answer {
        act("SET_FLAGS", connection.sock, |netlink: &mut PathManagerSocket| {
            in_either_family(local, remote, libc::EINVAL, |local, remote| {
                netlink.set_backup(connection.token, local, remote, backup)
            })
        })
    }

    fn options(&self, sock: BorrowedFd<'_>, cookie: u64, steps: &mut [OptionStep]) -> Answer {
        subflow_option::run(sock, cookie, steps)
    }

    fn announce(&self, connection: Connected<'_>, local: LocalEnd) -> Answer<Box<dyn Withdraw>> {
        let local = LocalAddress { is_announced: true, ..address(local) };
        let reserved = Reserved::new(connection.token, local.id);
        act("ANNOUNCE", connection.sock, |netlink: &mut PathManagerSocket| {
            netlink.announce(connection.token, &local)
        })?;
        DirectWithdraw::new(connection, local, reserved)
            .map(|withdraw| Box::new(withdraw) as Box<dyn Withdraw>)
            .map_err(|refusal| query_error("ANNOUNCE", refusal.into()).into())
    }

    fn remove(&self, connection: Connected<'_>, id: u8) -> Answer {
        act("REMOVE", connection.sock, |netlink: &mut PathManagerSocket| {
            netlink.remove(connection.token, id)
        })
    }

    fn events(&self, sock: Option<BorrowedFd<'_>>) -> Answer<OwnedFd> {
        const OPERATION: &str = "events";
        let events = KernelEvents::subscribe()
            .map_err(|refusal| query_error(OPERATION, QueryError::Netlink(refusal)))?;
        let elsewhere = sock.and_then(namespace::cookie).is_some_and(|cookie| {
            namespace::cookie(events.as_fd()).is_some_and(|ours| ours != cookie)
        });
        if elsewhere {
            return Err(Error::new(ErrorKind::OtherNamespace, OPERATION).into());
        }
        Ok(events.into())
    }

    fn path_manager(&self, connection: Connected<'_>) -> PathManager {
        path_manager::asked(connection.sock, |netlink| netlink.is_userspace(connection.token))
    }

    fn check(&self, right: Right) -> Result<(), Missing> {
        rights::check(right)
    }
}

/// A local end as the path manager's commands describe it.
fn address(local: LocalEnd) -> LocalAddress {
    let LocalEnd { ip, port, id, interface, is_backup } = local;
    LocalAddress { port, interface, is_backup, ..LocalAddress::new(ip, id) }
}

fn act<C: Cached>(
    command: &'static str,
    sock: BorrowedFd<'_>,
    ask: impl FnOnce(&mut C) -> std::result::Result<(), NetlinkError>,
) -> Answer {
    cache::with_socket_for(sock, ask).map_err(|error| query_error(command, error).into())
}

/// Runs a command for a subflow with these ends, in both spellings of an IPv4 address on an IPv6 socket:
/// the kernel knows the initial subflow by v4-mapped addresses, and a later one by IPv4 addresses.
pub(super) fn in_either_family(
    local: SocketAddr,
    remote: SocketAddr,
    unknown: i32,
    mut ask: impl FnMut(SocketAddr, SocketAddr) -> std::result::Result<(), NetlinkError>,
) -> std::result::Result<(), NetlinkError> {
    match (ask(local, remote), local, remote) {
        (Err(refusal), SocketAddr::V4(local), SocketAddr::V4(remote))
            if refusal.errno == unknown =>
        {
            let mapped = |v4: std::net::SocketAddrV4| {
                SocketAddr::V6(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0))
            };
            // If the kernel knows neither, the first refusal is about the caller's addresses.
            ask(mapped(local), mapped(remote)).map_err(|_| refusal)
        }
        (answer, _, _) => answer,
    }
}

/// Reports whether the socket has the userspace path manager. A socket reports the limits of the kernel's
/// path manager, and 0 under another one. If the namespace's limit is 0 as well, the two cannot be
/// distinguished before the socket connects.
fn is_taken_over(sock: BorrowedFd<'_>, limit: u32) -> bool {
    limit == 0 || mptcp::info(sock).is_ok_and(|info| info.raw.mptcpi_subflows_max == 0)
}

/// Fails if this process could not steer the connection afterwards: root may write the setting without
/// CAP_NET_ADMIN, and the connection would then have neither the kernel's subflows nor others. If the
/// setting is `userspace` already, nothing changes for the socket.
fn require_right(sock: BorrowedFd<'_>, operation: &'static str) -> Result<(), Error> {
    let may_act = cache::with_socket_for(sock, |netlink: &mut PathManagerSocket| {
        if netlink.has_userspace() {
            netlink.may_act()
        } else {
            Err(NetlinkError::new(libc::EOPNOTSUPP))
        }
    });
    match may_act {
        Ok(true) => Ok(()),
        Ok(false) if matches!(take_over::read_switch(), Ok(PathManagerSwitch::Userspace)) => Ok(()),
        Ok(false) => Err(privilege::missing().error(operation).errno(libc::EPERM)),
        Err(QueryError::Netlink(NetlinkError { errno: libc::EOPNOTSUPP, .. })) => {
            Err(cause::NO_USERSPACE.error(operation))
        }
        Err(error) => Err(query_error(operation, error)),
    }
}

fn take_control_error(operation: &'static str, failure: Failure) -> Error {
    let os = |error: io::Error| Error::from_io(operation, &error);
    match failure {
        Failure::Busy => Error::new(ErrorKind::Busy, operation)
            .detail("another process holds the lock on the network namespace")
            .with_remedy(
                "Find the process by the command lslocks, which shows the namespace as net:[...], \
                 and end it.",
            ),
        Failure::UnknownPathManager(name) => Error::new(ErrorKind::InvalidState, operation)
            .detail(format!(
                "net.mptcp.path_manager is {name:?}, which the library does not change"
            ))
            .with_remedy("Set it to kernel or userspace: sysctl net.mptcp.path_manager=kernel."),
        Failure::Switch(error) => rights::switch_cause(&error).explain(os(error)),
        Failure::Stuck(error) => os(error)
            .detail("net.mptcp.path_manager was set to userspace and cannot be restored")
            .with_remedy("Restore it: sysctl net.mptcp.path_manager=kernel."),
        Failure::Child(error) => match error.raw_os_error() {
            Some(libc::EAGAIN) => cause::NO_PROCESS.explain(os(error)),
            Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => {
                cause::HELPER_DENIED.explain(os(error))
            }
            _ => os(error).detail("a child process cannot be made"),
        },
        Failure::Lock(error) => match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => {
                cause::HELPER_DENIED.explain(os(error))
            }
            _ => os(error).detail("the network namespace cannot be locked"),
        },
        Failure::Killed(Some(libc::SIGSYS)) => Error::os(operation, libc::ECHILD)
            .detail("a filter of system calls (seccomp) has killed the helper process")
            .with_remedy(
                "Allow setpgid, sched_yield, flock, nanosleep and connect in the filter, such as \
                 SystemCallFilter= of a service.",
            ),
        Failure::Killed(_) => Error::os(operation, libc::ECHILD)
            .detail("the helper process was killed before it had finished")
            .with_remedy("Call again: the setting of the network namespace is restored."),
        Failure::Os(error) => os(error),
    }
}
