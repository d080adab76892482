//! What this process may do by itself, found out by trying, without side effects.

use crate::error::ErrorKind;
use crate::sys::event::KernelEvents;
use crate::sys::netlink::NetlinkError;
use crate::sys::path_manager::PathManagerSocket;
use crate::sys::sock_diag::SockDiag;
use crate::sys::take_over::{self, PathManagerSwitch};
use crate::sys::uapi::pm;

/// A group of acts that need the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// The kernel has a userspace path manager.
    Userspace,
    /// Open, prioritise, announce.
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
        Missing::new(format!("no path manager to talk to: {refusal}"), "use Linux 5.7 or newer")
    })
}

fn has_userspace() -> Checked {
    if path_manager()?.has_command(pm::CMD_SUBFLOW_CREATE) {
        return Ok(());
    }
    no("this kernel has only its own", "use Linux 5.19 or newer")
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
                format!("net.mptcp.path_manager is {name:?}, which is left alone"),
                "sysctl net.mptcp.path_manager=kernel",
            );
        }
        _ => {}
    }
    match take_over::may_write_switch() {
        Ok(()) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EROFS) => no(
            "/proc/sys is read-only here, as containers have it",
            "start the container with --sysctl net.mptcp.path_manager=userspace",
        ),
        Err(error) => no(
            format!("net.mptcp.path_manager cannot be written: {error}"),
            ErrorKind::NotPermitted.remedy(),
        ),
    }
}

fn may_close_any() -> Checked {
    // The kernel looks for the socket first and for the right later, so that naming none does not
    // tell whether we may.
    may_steer()?;
    match SockDiag::open().and_then(|mut diag| diag.may_destroy()) {
        Ok(()) => Ok(()),
        Err(NetlinkError { errno: libc::EPERM, .. }) => not_permitted(),
        Err(refusal) => no(
            format!("this kernel does not: {refusal}"),
            "use a kernel with CONFIG_INET_DIAG_DESTROY",
        ),
    }
}

fn may_follow() -> Checked {
    match KernelEvents::subscribe() {
        Ok(_) => Ok(()),
        Err(NetlinkError { errno: libc::EPERM, .. }) => not_permitted(),
        Err(refusal) => {
            no(format!("this kernel does not tell: {refusal}"), "use Linux 5.12 or newer")
        }
    }
}
