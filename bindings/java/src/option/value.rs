//! The value of a socket option, as the kernel has it.

use std::os::fd::{AsRawFd, BorrowedFd};

use jni::sys::jint;
use nix::errno::Errno;
use nix::libc::{SO_PROTOCOL, SOL_SOCKET, getsockopt, setsockopt, socklen_t};

use super::SocketOption;

const LENGTH: socklen_t = size_of::<jint>() as socklen_t;

pub(super) fn set(sock: BorrowedFd<'_>, option: SocketOption, value: jint) -> nix::Result<()> {
    let SocketOption { level, number } = option;
    // SAFETY: the kernel reads as many bytes of the value as its length states.
    let result =
        unsafe { setsockopt(sock.as_raw_fd(), level, number, (&raw const value).cast(), LENGTH) };
    Errno::result(result).map(drop)
}

pub(super) fn get(sock: BorrowedFd<'_>, option: SocketOption) -> nix::Result<jint> {
    let SocketOption { level, number } = option;
    let (mut value, mut length) = (0, LENGTH);
    // SAFETY: the kernel writes at most as many bytes of the value as the length states.
    let result = unsafe {
        getsockopt(sock.as_raw_fd(), level, number, (&raw mut value).cast(), &raw mut length)
    };
    Errno::result(result).map(|_| value)
}

pub(super) fn protocol(sock: BorrowedFd<'_>) -> nix::Result<jint> {
    get(sock, SocketOption { level: SOL_SOCKET, number: SO_PROTOCOL })
}
