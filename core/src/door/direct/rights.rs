//! What this process may do itself, found out by trials without side effects.

use std::io;

use super::subflow_option;
use crate::cause::{self, Cause};
use crate::door::{Missing, Right};
use crate::shared::privilege;
use crate::sys::event::KernelEvents;
use crate::sys::netlink::NetlinkError;
use crate::sys::path_manager::PathManagerSocket;
use crate::sys::sock_diag::SockDiag;
use crate::sys::take_over::{self, PathManagerSwitch};

type Checked<T = ()> = Result<T, Missing>;

pub(super) fn check(right: Right) -> Checked {
    match right {
        Right::Userspace => has_userspace(),
        Right::Steer => may_steer(),
        Right::TakeControl => may_take_control(),
        Right::CloseAny => may_close_any(),
        Right::Follow => may_follow(),
        Right::Options => subflow_option::check(),
    }
}

/// What a refusal by the kernel means, if the cause is not the one that the caller suspects.
fn missing(refusal: NetlinkError, suspected: Cause) -> Missing {
    match privilege::cause(refusal.errno) {
        Some(cause) => cause.into(),
        None => Missing::because(suspected, refusal),
    }
}

fn path_manager() -> Checked<PathManagerSocket> {
    PathManagerSocket::open().map_err(|refusal| missing(refusal, cause::NO_PATH_MANAGER))
}

fn has_userspace() -> Checked {
    if path_manager()?.has_userspace() {
        return Ok(());
    }
    Err(cause::NO_USERSPACE.into())
}

fn may_steer() -> Checked {
    has_userspace()?;
    match path_manager()?.may_act() {
        Ok(true) => Ok(()),
        Ok(false) => Err(privilege::missing().into()),
        Err(refusal) => Err(missing(refusal, cause::NO_USERSPACE)),
    }
}

fn may_take_control() -> Checked {
    may_steer()?;
    match take_over::read_switch() {
        Ok(PathManagerSwitch::Userspace) => return Ok(()),
        Ok(PathManagerSwitch::Other(name)) => {
            return Err(Missing::new(
                format!("net.mptcp.path_manager is {name:?}, which the library does not change"),
                "Run sysctl net.mptcp.path_manager=kernel.",
            ));
        }
        _ => {}
    }
    take_over::may_write_switch().map_err(|error| Missing::because(switch_cause(&error), error))
}

/// Why the setting of the path manager cannot be read or written, on a kernel that has one.
pub(super) fn switch_cause(error: &io::Error) -> Cause {
    match error.raw_os_error() {
        Some(libc::EROFS) => cause::READ_ONLY_SETTINGS,
        // The caller has found the commands of the userspace path manager.
        Some(libc::ENOENT) => cause::HIDDEN_SETTINGS,
        _ => cause::UNWRITABLE_SETTINGS,
    }
}

fn may_close_any() -> Checked {
    // The kernel looks for the socket first and checks the privilege later, so that a question about
    // no socket does not show the privilege.
    may_steer()?;
    SockDiag::open()
        .and_then(|mut diag| diag.may_destroy())
        .map_err(|refusal| missing(refusal, cause::NO_DESTROY))
}

fn may_follow() -> Checked {
    KernelEvents::subscribe().map(drop).map_err(|refusal| missing(refusal, cause::NO_EVENTS))
}
