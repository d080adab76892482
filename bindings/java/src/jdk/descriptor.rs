//! The descriptor of a Java socket, borrowed for a call.
//!
//! Another thread may close the object during the call, and the number may then belong to another
//! file: a verb that reads checks afterwards that the object is still open, and a verb that changes
//! something works on a duplicate.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use jni::Env;
use jni::objects::JObject;
use jni::sys::jint;
use nix::errno::Errno;
use subflows::ErrorKind;

use super::fields::{JdkFields, SideFields, fields};
use super::implementation::{Implementation, NioSocketImpl};
use crate::error::{BadArgument, Failure};

/// The object that closes the descriptor, and knows whether it has done so.
enum Owner<'sock, 'local> {
    /// The caller, who passed a plain number.
    Caller,
    /// The channel that was passed.
    Channel(&'sock JObject<'sock>),
    /// The channel that the socket adapts.
    AdaptedChannel(JObject<'local>),
    /// The implementation of any other socket.
    Implementation(NioSocketImpl<'local>),
}

struct Descriptor<'sock, 'local> {
    number: jint,
    owner: Owner<'sock, 'local>,
}

impl Descriptor<'_, '_> {
    fn borrow(&self, operation: &'static str) -> Result<BorrowedFd<'_>, Failure> {
        match &self.owner {
            _ if self.number >= 0 => {}
            Owner::Caller => return Err(no_open_socket(operation)),
            // Closing sets the number to -1.
            _ => return Err(Failure::Closed(operation)),
        }
        // SAFETY: it is not -1. That it still belongs to the object is checked after it was read,
        // or before anything is changed.
        Ok(unsafe { BorrowedFd::borrow_raw(self.number) })
    }

    fn is_open(&self, env: &mut Env<'_>) -> Result<bool, Failure> {
        let fields = fields(env)?;
        match &self.owner {
            Owner::Caller => Ok(true),
            Owner::Channel(channel) => fields.channel_state.is_open(env, channel),
            Owner::AdaptedChannel(channel) => fields.channel_state.is_open(env, channel),
            Owner::Implementation(nio) => Ok(!fields.implementation.is_closed(env, nio)),
        }
    }
}

/// The error that core reports for a number that is not a socket's. A negative number cannot be
/// passed to core.
fn no_open_socket(operation: &'static str) -> Failure {
    BadArgument {
        operation,
        kind: ErrorKind::InvalidArgument,
        errno: Some(Errno::EBADF),
        what: "this descriptor is not an open socket".to_owned(),
        remedy: "Pass the descriptor of a TCP or Multipath TCP socket that is open.".to_owned(),
    }
    .into()
}

/// Reads something from a socket: from an object, or from a number if the object is null.
pub(crate) fn read<T>(
    env: &mut Env<'_>,
    sock: &JObject<'_>,
    number: jint,
    operation: &'static str,
    verb: impl FnOnce(&BorrowedFd<'_>) -> subflows::Result<T>,
) -> Result<T, Failure> {
    let descriptor = find(env, sock, number, operation)?;
    let answer = verb(&descriptor.borrow(operation)?);
    if descriptor.is_open(env)? { Ok(answer?) } else { Err(Failure::Closed(operation)) }
}

/// Changes something about a socket, through a duplicate, which the object cannot close.
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

/// A duplicate of the descriptor, for a verb that changes something or outlives the call.
pub(crate) fn duplicate(
    env: &mut Env<'_>,
    sock: &JObject<'_>,
    number: jint,
    operation: &'static str,
) -> Result<OwnedFd, Failure> {
    let descriptor = find(env, sock, number, operation)?;
    let duplicate = descriptor.borrow(operation)?.as_fd().try_clone_to_owned();
    match (descriptor.is_open(env)?, duplicate) {
        (false, _) => Err(Failure::Closed(operation)),
        (true, Err(error)) if error.raw_os_error() == Some(Errno::EBADF as i32) => {
            Err(no_open_socket(operation))
        }
        (true, duplicate) => duplicate.map_err(|error| Failure::io(operation, &error)),
    }
}

/// Changes the descriptor itself, under the lock under which the JDK closes it. If the caller
/// passed a plain number, keeping it open is up to the caller.
pub(crate) fn with_close_lock<T>(
    env: &mut Env<'_>,
    sock: &JObject<'_>,
    number: jint,
    operation: &'static str,
    verb: impl FnOnce(BorrowedFd<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let descriptor = find(env, sock, number, operation)?;
    let object = match &descriptor.owner {
        Owner::Caller => return verb(descriptor.borrow(operation)?),
        Owner::Channel(channel) => channel,
        Owner::AdaptedChannel(channel) => channel,
        Owner::Implementation(nio) => nio.as_ref(),
    };
    let done = fields(env)?.with_close_lock(env, object, |env| {
        if descriptor.is_open(env)? {
            verb(descriptor.borrow(operation)?).map(Some)
        } else {
            Ok(None)
        }
    });
    done?.ok_or(Failure::Closed(operation))
}

/// Whether the object is a client's socket that has not created its descriptor yet.
pub(crate) fn is_not_created(env: &mut Env<'_>, sock: &JObject<'_>) -> Result<bool, Failure> {
    let fields = fields(env)?;
    let client = &fields.client;
    // A socket that passes its calls on to another object has no implementation of its own.
    if client.socket.adapted_channel.get(env, sock).is_some()
        || fields.tls.under(env, sock)?.is_some()
    {
        return Ok(false);
    }
    let is_not_created = match fields.implementation_of(env, client, sock)? {
        Some(Implementation::Nio(nio)) => fields.implementation.is_new(env, &nio),
        Some(Implementation::NotCreated) => true,
        None => false,
    };
    Ok(is_not_created && !client.socket.is_closed.is(env, sock)?)
}

/// Fails if the object is closed. A plain number counts as open.
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
) -> Result<Descriptor<'sock, 'local>, Failure> {
    if sock.is_null() {
        return Ok(Descriptor { number, owner: Owner::Caller });
    }
    let fields = fields(env)?;
    // Each check costs time: the most frequent kind of object comes first.
    if let Some(number) = fields.client.channel.number.get(env, sock) {
        return in_channel(env, number, Owner::Channel(sock), operation);
    }
    if let Some(descriptor) = in_socket(env, fields, sock, operation)? {
        return Ok(descriptor);
    }
    match fields.in_other_channel(env, sock) {
        Some(number) => in_channel(env, number, Owner::Channel(sock), operation),
        None => Err(Failure::NoSocket(format!(
            "{operation}: this is not a stream socket or channel of the JDK's"
        ))),
    }
}

fn in_channel<'sock, 'local>(
    env: &mut Env<'_>,
    number: jint,
    owner: Owner<'sock, 'local>,
    operation: &'static str,
) -> Result<Descriptor<'sock, 'local>, Failure> {
    let descriptor = Descriptor { number, owner };
    // A closed channel still has the number in its field.
    if descriptor.is_open(env)? { Ok(descriptor) } else { Err(Failure::Closed(operation)) }
}

/// The descriptor of a `Socket` or `ServerSocket`, or `None` for an object of another class.
fn in_socket<'sock, 'local>(
    env: &mut Env<'local>,
    fields: &JdkFields,
    sock: &JObject<'_>,
    operation: &'static str,
) -> Result<Option<Descriptor<'sock, 'local>>, Failure> {
    let under = fields.tls.under(env, sock)?;
    let sock = under.as_ref().unwrap_or(sock);
    for side in [&fields.client, &fields.server] {
        if let Some(channel) = side.socket.adapted_channel.get(env, sock) {
            let number = side.channel.number.get(env, &channel);
            let number = number.ok_or(jni::errors::Error::WrongObjectType)?;
            return in_channel(env, number, Owner::AdaptedChannel(channel), operation).map(Some);
        }
        if let Some(implementation) = fields.implementation_of(env, side, sock)? {
            let nio = match implementation {
                Implementation::Nio(nio) if !fields.implementation.is_new(env, &nio) => nio,
                _ => create(env, fields, side, sock, operation)?,
            };
            return in_implementation(env, fields, nio, operation).map(Some);
        }
    }
    Ok(None)
}

fn in_implementation<'sock, 'local>(
    env: &mut Env<'local>,
    fields: &JdkFields,
    nio: NioSocketImpl<'local>,
    operation: &'static str,
) -> Result<Descriptor<'sock, 'local>, Failure> {
    if fields.implementation.is_closed(env, &nio) {
        return Err(Failure::Closed(operation));
    }
    let number = fields.in_implementation(env, &nio)?;
    Ok(Descriptor { number, owner: Owner::Implementation(nio) })
}

/// Lets a socket create its descriptor, and returns the implementation that has it.
fn create<'local>(
    env: &mut Env<'local>,
    fields: &JdkFields,
    side: &SideFields,
    sock: &JObject<'_>,
    operation: &'static str,
) -> Result<NioSocketImpl<'local>, Failure> {
    if side.socket.is_closed.is(env, sock)? {
        return Err(Failure::Closed(operation));
    }
    if let Err(failure) = side.socket.create_descriptor(env, sock) {
        let Some(thrown) = env.exception_occurred() else {
            return Err(failure);
        };
        env.exception_clear();
        // A socket that was closed in the meantime throws an exception of its own.
        if side.socket.is_closed.is(env, sock)? {
            return Err(Failure::Closed(operation));
        }
        env.throw(thrown)?;
        return Err(failure);
    }
    match fields.implementation_of(env, side, sock)? {
        Some(Implementation::Nio(nio)) if !fields.implementation.is_new(env, &nio) => Ok(nio),
        // Sockets of pools and proxies pass the call on to another one, and have none of their own.
        _ => Err(Failure::NoSocket(format!(
            "{operation}: this socket passes its calls on to another socket, and hides its descriptor"
        ))),
    }
}
