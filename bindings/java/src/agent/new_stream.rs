//! A new Multipath TCP socket, in the place of a TCP socket that an application asked for.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use subflows::Family;

use super::extra_paths;
use crate::error::Failure;
use crate::jdk::new_socket;

/// Whether new connections are put under the application's control.
static IS_CONTROLLED: AtomicBool = AtomicBool::new(false);

/// Puts the connections of sockets that are made from now on under control.
pub(super) fn control() {
    IS_CONTROLLED.store(true, Ordering::Relaxed);
}

/// Makes a socket for a client, or for a listener if it is to share its address.
pub(super) fn new_stream(family: Family, is_listener: bool) -> Result<OwnedFd, Failure> {
    let sock = subflows::socket(family)?;
    // The namespace decides who controls the connections that a listener accepts.
    if is_listener {
        new_socket::reuse_address(sock.as_fd())?;
    } else if IS_CONTROLLED.load(Ordering::Relaxed) {
        subflows::take_control(&sock)?;
        extra_paths::remember(&sock);
    }
    new_socket::accept_ipv4(sock.as_fd(), family)?;
    Ok(sock)
}
