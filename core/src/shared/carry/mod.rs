//! Replacing the socket under a descriptor by a Multipath TCP socket with the same options.

mod options;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use self::options::{CARRIED, Opt, REFUSED, Set};
pub(crate) use self::watch::refuse_watched;
use crate::error::{Error, ErrorKind, Result};
use crate::shared::socket_state::{MptcpState, SocketState, state_of};
use crate::sys::{fcntl, socket};

/// Longer than the value of every option that is copied.
const LONGEST: usize = 64;

/// The bytes of an option, followed by zeroes, and their number.
type Value = ([u8; LONGEST], usize);

/// Puts the new socket in the place of a TCP socket, with its options, its flags and its signals.
pub(crate) fn replace_tcp(
    old: BorrowedFd<'_>,
    new: OwnedFd,
    family: i32,
    operation: &'static str,
) -> Result<()> {
    carry(old, new.as_fd(), family, operation)?;
    replace(old, &new).map_err(|error| Error::from_io(operation, &error))
}

/// An unconnected Multipath TCP socket that is to be replaced, with what is set on it.
pub(crate) struct Replacement<'a> {
    old: BorrowedFd<'a>,
    operation: &'static str,
    wanted: Vec<(&'static Opt, Option<Value>)>,
    /// The address to which it is bound.
    local: Option<SocketAddr>,
}

impl Replacement<'_> {
    /// Reads what is set on a socket. Fails if another descriptor or an epoll set of this process would keep it.
    pub(crate) fn of<'a>(old: BorrowedFd<'a>, operation: &'static str) -> Result<Replacement<'a>> {
        refuse_watched(old, operation)?;
        let failed = |error: io::Error| Error::from_io(operation, &error);
        let family = socket::get_i32(old, libc::SOL_SOCKET, libc::SO_DOMAIN).map_err(failed)?;
        // Of a socket that has had a connection, the kernel has changed these itself.
        let is_used =
            matches!(state_of(old, operation)?, SocketState::Mptcp(_, MptcpState::Closed));
        let is_changed = |opt: &Opt| {
            is_used
                && matches!(
                    (opt.level, opt.number),
                    (libc::SOL_SOCKET, libc::SO_SNDBUF | libc::SO_RCVBUF)
                        | (libc::IPPROTO_TCP, libc::TCP_MAXSEG)
                )
        };
        let applies = |opt: &&Opt| {
            (opt.level != libc::IPPROTO_IPV6 || family == libc::AF_INET6) && !is_changed(opt)
        };
        let mut wanted: Vec<(&Opt, Option<Value>)> = Vec::with_capacity(CARRIED.len());
        for opt in CARRIED.iter().filter(applies) {
            // The option before it is the same by number.
            let is_known = opt.number == libc::SO_BINDTODEVICE && opt.level == libc::SOL_SOCKET;
            if !is_known || wanted.last().is_some_and(|(_, number)| number.is_none()) {
                wanted.push((opt, read(old, opt)));
            }
        }
        // The kernel may have chosen the address of one that has had a connection.
        let local = if is_used {
            None
        } else {
            Some(socket::local_address(old).map_err(failed)?)
                .filter(|local| local.port() != 0 || !local.ip().is_unspecified())
        };
        Ok(Replacement { old, operation, wanted, local })
    }

    /// Puts a new socket of the same family in the place of the old one, with its options, its address, its
    /// flags and its signals.
    pub(crate) fn put(self, new: OwnedFd) -> Result<()> {
        let Replacement { old, operation, wanted, local } = self;
        let failed = |error: io::Error| Error::from_io(operation, &error);
        let is_off = |wanted: &Option<Value>| wanted.is_none_or(|(value, _)| value == [0; LONGEST]);
        // To read an option takes as long as a tenth of what the kernel needs to make a socket.
        let default = |opt: &Opt, wanted| {
            if opt.is_off && is_off(&wanted) { wanted } else { read(new.as_fd(), opt) }
        };
        let values = wanted.iter().map(|(opt, wanted)| (*opt, *wanted, default(opt, *wanted)));
        if copy(values, new.as_fd()) {
            let differs = |(opt, wanted): &&(&Opt, _)| *wanted != read(new.as_fd(), opt);
            if let Some((opt, _)) = wanted.iter().find(differs) {
                return Err(refusal(opt, operation));
            }
        }
        if let Some(local) = local {
            bind_as_well(old, new.as_fd(), local).map_err(failed)?;
        }
        replace(old, &new).map_err(failed)
    }
}

/// Binds the new socket to the address of the old one, which the kernel permits only if both may share it.
fn bind_as_well(old: BorrowedFd<'_>, new: BorrowedFd<'_>, local: SocketAddr) -> io::Result<()> {
    let (level, option) = (libc::SOL_SOCKET, libc::SO_REUSEADDR);
    let before = socket::get_i32(old, level, option)?;
    socket::set_i32(old, level, option, 1)?;
    socket::set_i32(new, level, option, 1)?;
    let bound = socket::bind(new, local);
    socket::set_i32(old, level, option, before)?;
    socket::set_i32(new, level, option, before)?;
    bound
}

/// Copies the options that Multipath TCP and TCP have, as far as `to` has them. Nothing here allocates.
///
/// The size of a buffer is copied only if the program has set it: a size that is set no longer grows by itself. Kernels
/// before 5.17 do not report that, so there it is copied if it differs.
pub(crate) fn copy_options(from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
    let set_sizes = socket::get_i32(from, libc::SOL_SOCKET, libc::SO_BUF_LOCK).unwrap_or(-1);
    let is_set = |opt: &&Opt| match opt.number {
        libc::SO_SNDBUF if opt.set == Set::Half => set_sizes & 1 != 0,
        libc::SO_RCVBUF if opt.set == Set::Half => set_sizes & 2 != 0,
        _ => true,
    };
    copy(CARRIED.iter().filter(is_set).map(|opt| (opt, read(from, opt), read(to, opt))), to);
}

/// Puts a socket under the descriptor of another one, with its flags and its signals.
pub(crate) fn replace(old: BorrowedFd<'_>, new: &OwnedFd) -> io::Result<()> {
    fcntl::copy_status_flags(old, new.as_fd())?;
    let signals = fcntl::signals(old)?;
    fcntl::set_signals(new.as_fd(), &signals)?;
    let close_on_exec = fcntl::closes_on_exec(old)?;
    socket::replace(old, new, close_on_exec)?;
    fcntl::start_signals(old, &signals)
}

/// Copies every option that was set on `old` to `new`, and verifies it by reading back.
fn carry(
    old: BorrowedFd<'_>,
    new: BorrowedFd<'_>,
    family: i32,
    operation: &'static str,
) -> Result<()> {
    let tcp = || {
        socket::new(family, libc::SOCK_STREAM, libc::IPPROTO_TCP)
            .map_err(|error| Error::from_io(operation, &error))
    };
    let fresh = tcp()?;
    let fresh = fresh.as_fd();
    let applies = |opt: &&Opt| opt.level != libc::IPPROTO_IPV6 || family == libc::AF_INET6;
    // Each option with its value on the old socket, and its default on the new one.
    let values = |opt| (opt, read(old, opt), read(new, opt));
    let carried: Vec<_> = CARRIED.iter().filter(applies).map(values).collect();
    // A TCP socket with the options that are carried, made once it is needed.
    let mut twin = None;
    for opt in REFUSED.iter().filter(applies) {
        let wanted = read(old, opt);
        if wanted == read(fresh, opt) {
            continue;
        }
        // Some kernels derive it from an option that is carried: since 7.2, TCP_WINDOW_CLAMP from
        // SO_RCVBUF.
        let twin = match &twin {
            Some(twin) => twin,
            None => {
                let made = tcp()?;
                let values =
                    carried.iter().map(|(opt, wanted, _)| (*opt, *wanted, read(fresh, opt)));
                copy(values, made.as_fd());
                &*twin.insert(made)
            }
        };
        if wanted != read(twin.as_fd(), opt) {
            return Err(refusal(opt, operation));
        }
    }
    let is_changed = copy(carried.iter().copied(), new);
    for &(opt, wanted, default) in &carried {
        let got = if is_changed { read(new, opt) } else { default };
        // The value was not set if both sockets have their defaults, which differ for some options.
        if wanted != got && (wanted != read(fresh, opt) || got != default) {
            let is_derived = opt.set == Set::Sizes && wanted == read(fresh, opt);
            let low_water = |(opt, wanted, _): &&(&Opt, Option<Value>, _)| {
                let is_it = opt.level == libc::SOL_SOCKET && opt.number == libc::SO_RCVLOWAT;
                is_it && *wanted != read(fresh, opt)
            };
            let why = match carried.iter().find(low_water) {
                // It has enlarged the TCP socket's buffer. Old kernels (Linux 6.1) do not enlarge the one
                // of a Multipath TCP socket for it.
                Some((low_water, ..)) if is_derived => low_water,
                _ => opt,
            };
            return Err(refusal(why, operation));
        }
    }
    Ok(())
}

/// Sets each option that has another value, in their order, because some change others. Each comes with the
/// wanted value and the default of `to`. Returns whether one was set.
fn copy<'a>(
    values: impl Iterator<Item = (&'a Opt, Option<Value>, Option<Value>)>,
    to: BorrowedFd<'_>,
) -> bool {
    let mut is_changed = false;
    for (opt, wanted, default) in values {
        // Once one is set, the defaults are read again.
        let now = if is_changed { read(to, opt) } else { default };
        if let (Some((value, length)), true) = (wanted, wanted != now) {
            set(to, opt, &value[..length]);
            is_changed = true;
        }
    }
    is_changed
}

fn refusal(opt: &Opt, operation: &'static str) -> Error {
    Error::new(ErrorKind::Unsupported, operation)
        .detail(format!("{} was set, and a Multipath TCP socket cannot have it", opt.name))
        .with_remedy(format!("Do not set {} on this socket, or use plain TCP.", opt.name))
}

/// Returns the value of an option, or `None` if the socket does not have it or does not report it.
fn read(sock: BorrowedFd<'_>, opt: &Opt) -> Option<Value> {
    let mut value = [0u8; LONGEST];
    let length = socket::get_bytes(sock, opt.level, opt.number, &mut value).ok()?;
    Some((value, length))
}

/// Sets an option. A failure shows when the option is read back.
fn set(sock: BorrowedFd<'_>, opt: &Opt, value: &[u8]) {
    let number = <[u8; 4]>::try_from(value).map_or(0, i32::from_ne_bytes);
    match opt.set {
        Set::Same => {
            let _ = socket::set_bytes(sock, opt.level, opt.number, value);
        }
        Set::Half => set_size(sock, opt.number, number),
        Set::Sizes => {
            for (bit, name) in [(1, libc::SO_SNDBUF), (2, libc::SO_RCVBUF)] {
                let size = socket::get_i32(sock, opt.level, name);
                if let (Ok(size), true) = (size, number & bit != 0) {
                    set_size(sock, name, size);
                }
            }
        }
    }
}

/// Sets the size of a buffer so that it is read back as `size`.
fn set_size(sock: BorrowedFd<'_>, name: i32, size: i32) {
    let force = match name {
        libc::SO_SNDBUF => libc::SO_SNDBUFFORCE,
        _ => libc::SO_RCVBUFFORCE,
    };
    // A size over the limit was set with a privilege, and can be set again only with it.
    if socket::set_i32(sock, libc::SOL_SOCKET, force, size / 2).is_err() {
        let _ = socket::set_i32(sock, libc::SOL_SOCKET, name, size / 2);
    }
}
