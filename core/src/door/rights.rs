//! What this process may do itself, found out by trials without side effects.

use crate::error::ErrorKind;
use crate::sys::event::KernelEvents;
use crate::sys::netlink::NetlinkError;
use crate::sys::path_manager::PathManagerSocket;
use crate::sys::sock_diag::SockDiag;
use crate::sys::take_over::{self, PathManagerSwitch};
use crate::sys::uapi::pm;

/// A group of acts with the same requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// The kernel has a userspace path manager.
    Userspace,
    /// Open subflows, set their priority, announce addresses.
    Steer,
    /// Take control of a socket.
    TakeControl,
    /// Close subflows that the kernel's path manager opened.
    CloseAny,
    /// Follow events.
    Follow,
}

/// Why an act is not possible, and what to do about it.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    pub(crate) cause: String,
    pub(crate) remedy: String,
}

impl Missing {
    pub(crate) fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Missing {
        Missing { cause: cause.into(), remedy: remedy.into() }
    }
}

type Checked<T = ()> = Result<T, Missing>;

pub(super) fn check(right: Right) -> Checked {
    match right {
        Right::Userspace => has_userspace(),
        Right::Steer => may_steer(),
        Right::TakeControl => may_take_control(),
        Right::CloseAny => may_close_any(),
        Right::Follow => may_follow(),
    }
}

fn no(cause: impl Into<String>, remedy: impl Into<String>) -> Checked {
    Err(Missing::new(cause, remedy))
}

fn not_permitted() -> Checked {
    let remedy = ErrorKind::NotPermitted.remedy();
    no("this process lacks CAP_NET_ADMIN over its network namespace", remedy)
}

fn path_manager() -> Checked<PathManagerSocket> {
    PathManagerSocket::open().map_err(|refusal| {
        Missing::new(
            format!("the kernel's path manager does not answer: {refusal}"),
            "use Linux 5.7 or newer",
        )
    })
}

fn has_userspace() -> Checked {
    if path_manager()?.has_command(pm::CMD_SUBFLOW_CREATE) {
        return Ok(());
    }
    no("this kernel has no userspace path manager", "use Linux 5.19 or newer")
}

fn may_steer() -> Checked {
    has_userspace()?;
    match path_manager()?.may_act() {
        Ok(true) => Ok(()),
        Ok(false) => not_permitted(),
        Err(refusal) => no(refusal.to_string(), ErrorKind::Os.remedy()),
    }
}

fn may_take_control() -> Checked {
    may_steer()?;
    match take_over::read_switch() {
        Ok(PathManagerSwitch::Userspace) => return Ok(()),
        Ok(PathManagerSwitch::Other(name)) => {
            return no(
                format!("net.mptcp.path_manager is {name:?}, which the library does not change"),
                "sysctl net.mptcp.path_manager=kernel",
            );
        }
        _ => {}
    }
    match take_over::may_write_switch() {
        Ok(()) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EROFS) => no(
            "/proc/sys is read-only, as in most containers",
            "start the container with --sysctl net.mptcp.path_manager=userspace",
        ),
        Err(error) => no(
            format!("net.mptcp.path_manager cannot be written: {error}"),
            ErrorKind::NotPermitted.remedy(),
        ),
    }
}

fn may_close_any() -> Checked {
    // The kernel looks for the socket first and checks the privilege later, so that a question about
    // no socket does not show the privilege.
    may_steer()?;
    match SockDiag::open().and_then(|mut diag| diag.may_destroy()) {
        Ok(()) => Ok(()),
        Err(NetlinkError { errno: libc::EPERM, .. }) => not_permitted(),
        Err(refusal) => no(
            format!("this kernel cannot close them: {refusal}"),
            "use a kernel with CONFIG_INET_DIAG_DESTROY",
        ),
    }
}

fn may_follow() -> Checked {
    match KernelEvents::subscribe() {
        Ok(_) => Ok(()),
        Err(NetlinkError { errno: libc::EPERM, .. }) => not_permitted(),
        Err(refusal) => {
            no(format!("this kernel does not report events: {refusal}"), "use Linux 5.12 or newer")
        }
    }
}
