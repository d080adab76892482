//! Makes a TCP socket of the JDK's a Multipath TCP socket.

use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use jni::Env;
use jni::objects::{JClass, JObject};
use jni::sys::jint;
use nix::fcntl::OFlag;
use nix::sys::socket::{SockaddrStorage, getsockname, getsockopt, sockopt};
use nix::unistd::dup3;
use subflows::Family;

use crate::error::Failure;
use crate::jdk::descriptor;
use crate::jdk::new_socket::{accept_ipv4, reuse_address};

/// Calls core's verb, which keeps the descriptor.
pub(crate) fn upgrade(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
) -> Result<(), Failure> {
    // A socket whose descriptor does not exist yet has no options to carry over: a new one replaces
    // it. If that was not possible, core's verb reports why.
    let is_not_created = descriptor::is_not_created(env, &sock)?;
    descriptor::with_close_lock(env, &sock, fd, "upgrade", |sock| {
        if is_not_created {
            replace_by_new(sock)?;
        }
        Ok(subflows::upgrade(&sock)?)
    })
}

/// Replaces a TCP socket that the JDK has just made by a new one of core's, under the same
/// descriptor.
///
/// [`subflows::upgrade`] would read the options of a client's socket. That begins its first
/// subflow, which gets the wrong address id if control is taken afterwards.
pub(crate) fn upgrade_new(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
) -> Result<(), Failure> {
    descriptor::with_close_lock(env, &sock, -1, "socket", replace_by_new)
}

fn replace_by_new(old: BorrowedFd<'_>) -> Result<(), Failure> {
    let failed = |error| Failure::Os("socket", error as i32);
    // A socket that the agent made is Multipath TCP already, and under control if so configured.
    if subflows::info(&old).is_ok() {
        return Ok(());
    }
    let local = getsockname::<SockaddrStorage>(old.as_raw_fd()).map_err(failed)?;
    let (family, port) = match (local.as_sockaddr_in(), local.as_sockaddr_in6()) {
        (Some(v4), _) => (Family::V4, v4.port()),
        (_, Some(v6)) => (Family::V6, v6.port()),
        _ => return Ok(()),
    };
    // Another thread has bound it in the meantime.
    if port != 0 {
        return Ok(());
    }
    let new = subflows::socket(family)?;
    accept_ipv4(new.as_fd(), family)?;
    if getsockopt(&old, sockopt::ReuseAddr).map_err(failed)? {
        reuse_address(new.as_fd())?;
    }
    // SAFETY: the caller holds the lock under which the JDK closes the descriptor, and it is not
    // closed here.
    let mut place = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(old.as_raw_fd()) });
    dup3(new, &mut place, OFlag::O_CLOEXEC).map_err(failed)
}
