//! The descriptor of what Java calls a socket, borrowed for a call.
//!
//! Another thread may close the object meanwhile, and its number may then be another file's: after
//! reading, the object is asked again whether it is open, and before acting a duplicate is taken.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jni::Env;
use jni::objects::JObject;
use jni::sys::jint;
use nix::errno::Errno;
use subflows::ErrorKind;

use crate::error::Failure;
use crate::places::{Behind, Implementation, Places, ST_CLOSING, ST_NEW, places};

/// Who tells whether the descriptor is still the object's.
enum Guard<'sock, 'local> {
    /// A plain number: the caller.
    Caller,
    /// A channel that was given.
    Channel(&'sock JObject<'sock>),
    /// The channel behind a socket.
    ChannelBehind(JObject<'local>),
    /// What is behind any other socket.
    Implementation(Implementation<'local>),
}

struct Found<'sock, 'local> {
    number: jint,
    guard: Guard<'sock, 'local>,
}

impl Found<'_, '_> {
    fn borrow(&self, operation: &'static str) -> Result<BorrowedFd<'_>, Failure> {
        match &self.guard {
            _ if self.number >= 0 => {}
            Guard::Caller => return Err(no_open_socket(operation)),
            // Closing takes the number away.
            _ => return Err(Failure::Closed(operation)),
        }
        // SAFETY: it is not -1. Whether it is still the object's is asked again when the answer is
        // there, or before anything is changed.
        Ok(unsafe { BorrowedFd::borrow_raw(self.number) })
    }

    fn is_open(&self, env: &mut Env<'_>) -> Result<bool, Failure> {
        let places = places(env)?;
        match &self.guard {
            Guard::Caller => Ok(true),
            Guard::Channel(channel) => places.is_channel_open(env, channel),
            Guard::ChannelBehind(channel) => places.is_channel_open(env, channel),
            Guard::Implementation(it) => Ok(places.state(env, it) < ST_CLOSING),
        }
    }
}

/// As core says it of other numbers that are no socket's: of a negative one it cannot be asked.
fn no_open_socket(operation: &'static str) -> Failure {
    let text = "this descriptor is no open socket".to_owned();
    Failure::Number(operation, ErrorKind::InvalidArgument, Some(Errno::EBADF), text)
}

/// Asks something of a socket: of an object, or of a number where there is none.
pub(crate) fn read<T>(
    env: &mut Env<'_>,
    sock: &JObject<'_>,
    number: jint,
    operation: &'static str,
    verb: impl FnOnce(&BorrowedFd<'_>) -> subflows::Result<T>,
) -> Result<T, Failure> {
    let found = find(env, sock, number, operation)?;
    let answer = verb(&found.borrow(operation)?);
    match found.is_open(env)? {
        true => Ok(answer?),
        false => Err(Failure::Closed(operation)),
    }
}

/// Acts on a socket, by a duplicate that stays what it is.
pub(crate) fn act<T>(
    env: &mut Env<'_>,
    sock: &JObject<'_>,
    number: jint,
    operation: &'static str,
    verb: impl FnOnce(&OwnedFd) -> subflows::Result<T>,
) -> Result<T, Failure> {
    let sock = duplicate(env, sock, number, operation)?;
    Ok(verb(&sock)?)
}

/// A descriptor of our own, for what acts or outlives the call.
pub(crate) fn duplicate(
    env: &mut Env<'_>,
    sock: &JObject<'_>,
    number: jint,
    operation: &'static str,
) -> Result<OwnedFd, Failure> {
    let found = find(env, sock, number, operation)?;
    let duplicate = found.borrow(operation)?.as_fd().try_clone_to_owned();
    match (found.is_open(env)?, duplicate) {
        (false, _) => Err(Failure::Closed(operation)),
        (true, Err(error)) if error.raw_os_error() == Some(Errno::EBADF as i32) => {
            Err(no_open_socket(operation))
        }
        (true, duplicate) => duplicate.map_err(|error| Failure::io(operation, &error)),
    }
}

/// Acts on the very descriptor, which nobody closes meanwhile; a plain number is the caller's matter.
pub(crate) fn hold<T>(
    env: &mut Env<'_>,
    sock: &JObject<'_>,
    number: jint,
    operation: &'static str,
    verb: impl FnOnce(BorrowedFd<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let found = find(env, sock, number, operation)?;
    let object = match &found.guard {
        Guard::Caller => return verb(found.borrow(operation)?),
        Guard::Channel(channel) => channel,
        Guard::ChannelBehind(channel) => channel,
        Guard::Implementation(it) => it.as_ref(),
    };
    let done = places(env)?.hold(env, object, |env| match found.is_open(env)? {
        true => verb(found.borrow(operation)?).map(Some),
        false => Ok(None),
    });
    done?.ok_or(Failure::Closed(operation))
}

/// Whether it is a client's socket whose descriptor nobody has needed yet.
pub(crate) fn is_unmade(env: &mut Env<'_>, sock: &JObject<'_>) -> Result<bool, Failure> {
    let places = places(env)?;
    // What is over something else has nothing behind it.
    if places.channel_of_adaptor(env, false, sock).is_some()
        || places.under_tls(env, sock)?.is_some()
    {
        return Ok(false);
    }
    let is_unmade = match places.behind(env, false, sock)? {
        Some(Behind::Jdk(it)) => places.state(env, &it) == ST_NEW,
        Some(Behind::Nothing) => true,
        None => false,
    };
    Ok(is_unmade && !places.is_closed(env, false, sock)?)
}

/// Whether the object is still open; numbers are.
pub(crate) fn check_open(
    env: &mut Env<'_>,
    sock: &JObject<'_>,
    operation: &'static str,
) -> Result<(), Failure> {
    find(env, sock, 0, operation).map(|_| ())
}

fn find<'sock, 'local>(
    env: &mut Env<'local>,
    sock: &'sock JObject<'sock>,
    number: jint,
    operation: &'static str,
) -> Result<Found<'sock, 'local>, Failure> {
    if sock.is_null() {
        return Ok(Found { number, guard: Guard::Caller });
    }
    let places = places(env)?;
    // Each question costs: what is asked for most is looked for first.
    if let Some(number) = places.client_channel(env, sock) {
        return in_channel(env, number, Guard::Channel(sock), operation);
    }
    if let Some(found) = in_socket(env, places, sock, operation)? {
        return Ok(found);
    }
    match places.other_channel(env, sock) {
        Some(number) => in_channel(env, number, Guard::Channel(sock), operation),
        None => Err(Failure::NoSocket(format!(
            "{operation}: this is no socket or channel that the JDK made"
        ))),
    }
}

fn in_channel<'sock, 'local>(
    env: &mut Env<'_>,
    number: jint,
    guard: Guard<'sock, 'local>,
    operation: &'static str,
) -> Result<Found<'sock, 'local>, Failure> {
    let found = Found { number, guard };
    // A closed one still tells the number that it had.
    match found.is_open(env)? {
        true => Ok(found),
        false => Err(Failure::Closed(operation)),
    }
}

/// Nothing where it is no socket.
fn in_socket<'sock, 'local>(
    env: &mut Env<'local>,
    places: &Places,
    sock: &JObject<'_>,
    operation: &'static str,
) -> Result<Option<Found<'sock, 'local>>, Failure> {
    let under = places.under_tls(env, sock)?;
    let sock = under.as_ref().unwrap_or(sock);
    for server in [false, true] {
        if let Some(channel) = places.channel_of_adaptor(env, server, sock) {
            let number = match server {
                false => places.client_channel(env, &channel),
                true => places.other_channel(env, &channel),
            };
            let number = number.ok_or(jni::errors::Error::WrongObjectType)?;
            return in_channel(env, number, Guard::ChannelBehind(channel), operation).map(Some);
        }
        if let Some(behind) = places.behind(env, server, sock)? {
            return in_plain_socket(env, places, server, sock, behind, operation).map(Some);
        }
    }
    Ok(None)
}

fn in_plain_socket<'sock, 'local>(
    env: &mut Env<'local>,
    places: &Places,
    server: bool,
    sock: &JObject<'_>,
    behind: Behind<'local>,
    operation: &'static str,
) -> Result<Found<'sock, 'local>, Failure> {
    let it = match behind {
        Behind::Jdk(it) if places.state(env, &it) != ST_NEW => it,
        _ => made(env, places, server, sock, operation)?,
    };
    if places.state(env, &it) >= ST_CLOSING {
        return Err(Failure::Closed(operation));
    }
    let number = places.number(env, &it)?;
    Ok(Found { number, guard: Guard::Implementation(it) })
}

/// What is behind a socket after its descriptor was made.
fn made<'local>(
    env: &mut Env<'local>,
    places: &Places,
    server: bool,
    sock: &JObject<'_>,
    operation: &'static str,
) -> Result<Implementation<'local>, Failure> {
    if places.is_closed(env, server, sock)? {
        return Err(Failure::Closed(operation));
    }
    if let Err(failure) = places.make_descriptor(env, server, sock) {
        let Some(thrown) = env.exception_occurred() else {
            return Err(failure);
        };
        env.exception_clear();
        // One that is closed meanwhile says so in words of its own.
        if places.is_closed(env, server, sock)? {
            return Err(Failure::Closed(operation));
        }
        env.throw(thrown)?;
        return Err(failure);
    }
    match places.behind(env, server, sock)? {
        Some(Behind::Jdk(it)) if places.state(env, &it) != ST_NEW => Ok(it),
        // Another one was asked, as pools and proxies do, and nothing came to be behind this one.
        _ => Err(Failure::NoSocket(format!(
            "{operation}: this socket passes its calls on to another, and hides its descriptor"
        ))),
    }
}
