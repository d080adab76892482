//! What the kernel answers for one option, in each state of a socket.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::socket::AddressFamily;

use crate::socket::{self, Protocol};
use crate::table::SocketOption;

/// What setting an option does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// The option has another value than before.
    Changed,
    /// The call succeeds, and the option has the same value as before.
    Same,
    /// The call succeeds, and the option cannot be got.
    Unreadable,
    /// The call fails.
    Failed(Errno),
}

/// What getting an option does: whether it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Get {
    /// The call succeeds.
    Ok,
    /// The call fails.
    Failed(Errno),
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Set::Changed => f.write_str("set"),
            Set::Same => f.write_str("ignored"),
            Set::Unreadable => f.write_str("ok"),
            Set::Failed(errno) => write!(f, "{errno:?}"),
        }
    }
}

impl fmt::Display for Get {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Get::Ok => f.write_str("ok"),
            Get::Failed(errno) => write!(f, "{errno:?}"),
        }
    }
}

/// The answers in the three states: unconnected, connected, accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Getting.
    pub get: [Get; 3],
    /// Setting.
    pub set: [Set; 3],
    /// Whether a value that was set before connecting is the value afterwards; `None` if it could not be set, or
    /// if the connection then fails.
    pub is_kept: Option<bool>,
    /// Whether an accepted socket has the value of its listener.
    pub is_inherited: Option<bool>,
}

fn get(sock: &OwnedFd, option: &SocketOption) -> nix::Result<Vec<u8>> {
    // These are set by one name and read by another.
    let number = match option.name {
        "SO_SNDBUFFORCE" => libc::SO_SNDBUF,
        "SO_RCVBUFFORCE" => libc::SO_RCVBUF,
        _ => option.number,
    };
    socket::get(sock, option.level, number)
}

fn measured(sock: &OwnedFd, option: &SocketOption) -> (Get, Set) {
    let before = get(sock, option);
    let got = match before {
        Ok(_) => Get::Ok,
        Err(errno) => Get::Failed(errno),
    };
    let set = match socket::set(sock, option.level, option.number, option.value) {
        Err(errno) => Set::Failed(errno),
        Ok(()) => match (get(sock, option), before) {
            (Ok(after), Ok(before)) if after == before => Set::Same,
            (Ok(_), _) => Set::Changed,
            (Err(_), _) => Set::Unreadable,
        },
    };
    (got, set)
}

/// Measures one option on sockets of this family and protocol, each time on new sockets.
pub fn measure(
    option: &SocketOption,
    family: AddressFamily,
    protocol: Protocol,
) -> io::Result<Answers> {
    let new = || socket::new(family, protocol);
    let unconnected = new()?;
    let alone = measured(&unconnected, option);

    let client = new()?;
    let accepted = socket::connected(family, &client, new()?)?;
    let (connected, accepted) = (measured(&client, option), measured(&accepted, option));

    let (client, listener) = (new()?, new()?);
    let mut values = [None, None];
    for (sock, value) in [&client, &listener].into_iter().zip(&mut values) {
        if socket::set(sock, option.level, option.number, option.value).is_ok() {
            *value = get(sock, option).ok();
        }
    }
    let [is_kept, is_inherited] = match values {
        // Some options make a connection impossible, such as TCP_REPAIR.
        [Some(_), Some(_)] => match socket::connected(family, &client, listener) {
            Ok(inherits) => {
                let now = [get(&client, option).ok(), get(&inherits, option).ok()];
                [0, 1].map(|end| Some(now[end] == values[end]))
            }
            Err(_) => [None; 2],
        },
        _ => [None; 2],
    };
    Ok(Answers {
        get: [alone.0, connected.0, accepted.0],
        set: [alone.1, connected.1, accepted.1],
        is_kept,
        is_inherited,
    })
}
