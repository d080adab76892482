//! The descriptor of what Java calls a socket, borrowed for a call.
//!
//! Another thread may close the object meanwhile, and its number may then be another file's: after
//! reading, the object is asked again whether it is open, and before acting a duplicate is taken.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use jni::objects::JObject;
use jni::sys::jint;
use jni::{Env, jni_sig, jni_str};

use crate::error::Failure;
use crate::jdk::{Class, Field, Method};

/// Where the JDK keeps descriptors.
struct Places {
    // java.nio.channels
    is_open: Method,
    closed: Field,
    numbers: [Field; 2],
    asynchronous: [Field; 2],
    // java.net
    channel: [Field; 2],
    implementation: [Field; 2],
    is_closed: [Method; 2],
    reuse_address: [Method; 2],
    delegate: Field,
    state: Field,
    descriptor: Field,
    number: Field,
    // javax.net.ssl
    ssl_socket: Class,
    layered_over: Field,
}

/// `NioSocketImpl` has no descriptor yet.
const ST_NEW: jint = 0;
/// From this state on `NioSocketImpl` is closed.
const ST_CLOSING: jint = 4;

fn places(env: &mut Env<'_>) -> Result<&'static Places, Failure> {
    static PLACES: OnceLock<Places> = OnceLock::new();
    if let Some(places) = PLACES.get() {
        return Ok(places);
    }
    let found = Places::find(env)?;
    Ok(PLACES.get_or_init(|| found))
}

impl Places {
    fn find(env: &mut Env<'_>) -> Result<Places, Failure> {
        let socket = jni_str!("java/net/Socket");
        let server = jni_str!("java/net/ServerSocket");
        let boolean = || jni_sig!(() -> jboolean);
        let fd = || jni_sig!(java.io.FileDescriptor);
        let base_ssl = jni_str!("sun/security/ssl/BaseSSLSocketImpl");
        let mut implementation =
            |class| Field::find(env, class, jni_str!("impl"), jni_sig!(java.net.SocketImpl));
        let implementation = [implementation(socket)?, implementation(server)?];
        let mut method = |class, name, signature| Method::find(env, class, name, signature);
        let reuse_address = jni_str!("getReuseAddress");
        let is_closed = jni_str!("isClosed");
        Ok(Places {
            is_open: method(jni_str!("java/nio/channels/Channel"), jni_str!("isOpen"), boolean())?,
            is_closed: [
                method(socket, is_closed, boolean())?,
                method(server, is_closed, boolean())?,
            ],
            reuse_address: [
                method(socket, reuse_address, boolean())?,
                method(server, reuse_address, boolean())?,
            ],
            // Asked by their fields: to call a method costs as much as the system call does.
            closed: Field::find(
                env,
                jni_str!("java/nio/channels/spi/AbstractInterruptibleChannel"),
                jni_str!("closed"),
                jni_sig!(jboolean),
            )?,
            numbers: [
                Field::find(
                    env,
                    jni_str!("sun/nio/ch/SocketChannelImpl"),
                    jni_str!("fdVal"),
                    jni_sig!(jint),
                )?,
                Field::find(
                    env,
                    jni_str!("sun/nio/ch/ServerSocketChannelImpl"),
                    jni_str!("fdVal"),
                    jni_sig!(jint),
                )?,
            ],
            channel: [
                Field::find(
                    env,
                    jni_str!("sun/nio/ch/SocketAdaptor"),
                    jni_str!("sc"),
                    jni_sig!(sun.nio.ch.SocketChannelImpl),
                )?,
                Field::find(
                    env,
                    jni_str!("sun/nio/ch/ServerSocketAdaptor"),
                    jni_str!("ssc"),
                    jni_sig!(sun.nio.ch.ServerSocketChannelImpl),
                )?,
            ],
            asynchronous: [
                Field::find(
                    env,
                    jni_str!("sun/nio/ch/AsynchronousSocketChannelImpl"),
                    jni_str!("fd"),
                    fd(),
                )?,
                Field::find(
                    env,
                    jni_str!("sun/nio/ch/AsynchronousServerSocketChannelImpl"),
                    jni_str!("fd"),
                    fd(),
                )?,
            ],
            implementation,
            delegate: Field::find(
                env,
                jni_str!("java/net/DelegatingSocketImpl"),
                jni_str!("delegate"),
                jni_sig!(java.net.SocketImpl),
            )?,
            state: Field::find(
                env,
                jni_str!("sun/nio/ch/NioSocketImpl"),
                jni_str!("state"),
                jni_sig!(jint),
            )?,
            descriptor: Field::find(env, jni_str!("java/net/SocketImpl"), jni_str!("fd"), fd())?,
            number: Field::find(
                env,
                jni_str!("java/io/FileDescriptor"),
                jni_str!("fd"),
                jni_sig!(jint),
            )?,
            ssl_socket: Class::find(env, jni_str!("javax/net/ssl/SSLSocket"))?,
            layered_over: Field::find(env, base_ssl, jni_str!("self"), jni_sig!(java.net.Socket))?,
        })
    }
}

/// Who tells whether the descriptor is still the object's.
enum Guard<'local> {
    /// A plain number: the caller.
    Caller,
    /// A channel.
    Channel(JObject<'local>),
    /// What is behind a socket.
    Implementation(JObject<'local>),
}

struct Found<'local> {
    number: jint,
    guard: Guard<'local>,
}

impl Found<'_> {
    fn borrow(&self, operation: &'static str) -> Result<BorrowedFd<'_>, Failure> {
        if self.number < 0 {
            return Err(Failure::Os(operation, nix::errno::Errno::EBADF as i32));
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
            Guard::Implementation(it) => Ok(places.state.int(env, it)? < ST_CLOSING),
        }
    }
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
    match found.is_open(env)? {
        true => duplicate.map_err(|e| Failure::Os(operation, e.raw_os_error().unwrap_or(0))),
        false => Err(Failure::Closed(operation)),
    }
}

/// The number of its descriptor, for whoever has just made it.
pub(crate) fn number(
    env: &mut Env<'_>,
    sock: &JObject<'_>,
    operation: &'static str,
) -> Result<jint, Failure> {
    Ok(find(env, sock, -1, operation)?.number)
}

/// Whether the object is still open; numbers are.
pub(crate) fn check_open(
    env: &mut Env<'_>,
    sock: &JObject<'_>,
    operation: &'static str,
) -> Result<(), Failure> {
    find(env, sock, 0, operation).map(|_| ())
}

fn find<'local>(
    env: &mut Env<'local>,
    sock: &JObject<'_>,
    number: jint,
    operation: &'static str,
) -> Result<Found<'local>, Failure> {
    if sock.is_null() {
        return Ok(Found { number, guard: Guard::Caller });
    }
    let places = places(env)?;
    let sock = env.new_local_ref(sock)?;
    if places.is_open.class.has(env, &sock)? {
        return in_channel(env, places, sock, operation);
    }
    let sock = under_tls(env, places, sock)?;
    for server in [0, 1] {
        if places.channel[server].class.has(env, &sock)? {
            let channel = places.channel[server].object(env, &sock)?;
            return in_channel(env, places, channel, operation);
        }
        if places.implementation[server].class.has(env, &sock)? {
            return in_socket(env, places, server, &sock, operation);
        }
    }
    Err(Failure::NoSocket(format!("{operation}: this is no socket that the JDK made")))
}

fn in_channel<'local>(
    env: &mut Env<'local>,
    places: &Places,
    channel: JObject<'local>,
    operation: &'static str,
) -> Result<Found<'local>, Failure> {
    // A closed one still tells the number that it had.
    if !places.is_channel_open(env, &channel)? {
        return Err(Failure::Closed(operation));
    }
    for field in &places.numbers {
        if field.class.has(env, &channel)? {
            let number = field.int(env, &channel)?;
            return Ok(Found { number, guard: Guard::Channel(channel) });
        }
    }
    for field in &places.asynchronous {
        if field.class.has(env, &channel)? {
            let descriptor = field.object(env, &channel)?;
            let number = places.number.int(env, &descriptor)?;
            return Ok(Found { number, guard: Guard::Channel(channel) });
        }
    }
    Err(Failure::NoSocket(format!("{operation}: this is no channel that the JDK made")))
}

/// The socket that TLS was put over, where it was.
fn under_tls<'local>(
    env: &mut Env<'local>,
    places: &Places,
    mut sock: JObject<'local>,
) -> Result<JObject<'local>, Failure> {
    while places.ssl_socket.has(env, &sock)? {
        if !places.layered_over.class.has(env, &sock)? {
            let text = "this TLS socket is not the JDK's own and hides its descriptor";
            return Err(Failure::NoSocket(text.to_owned()));
        }
        let under = places.layered_over.object(env, &sock)?;
        if env.is_same_object(&under, &sock)? {
            break;
        }
        sock = under;
    }
    Ok(sock)
}

fn in_socket<'local>(
    env: &mut Env<'local>,
    places: &Places,
    server: usize,
    sock: &JObject<'local>,
    operation: &'static str,
) -> Result<Found<'local>, Failure> {
    let mut behind = places.behind(env, server, sock)?;
    if behind.is_null() || places.state(env, &behind)? == ST_NEW {
        if places.is_closed[server].is(env, sock)? {
            return Err(Failure::Closed(operation));
        }
        // The first question to a socket makes its descriptor.
        places.reuse_address[server].is(env, sock)?;
        behind = places.behind(env, server, sock)?;
    }
    if places.state(env, &behind)? >= ST_CLOSING {
        return Err(Failure::Closed(operation));
    }
    let descriptor = places.descriptor.object(env, &behind)?;
    let number = places.number.int(env, &descriptor)?;
    Ok(Found { number, guard: Guard::Implementation(behind) })
}

impl Places {
    fn is_channel_open(&self, env: &mut Env<'_>, channel: &JObject<'_>) -> Result<bool, Failure> {
        match self.closed.class.has(env, channel)? {
            true => Ok(!self.closed.is(env, channel)?),
            // Asynchronous ones each have a field of their own.
            false => self.is_open.is(env, channel),
        }
    }

    /// The implementation of a socket, without what the JDK wraps around it.
    fn behind<'local>(
        &self,
        env: &mut Env<'local>,
        server: usize,
        sock: &JObject<'_>,
    ) -> Result<JObject<'local>, Failure> {
        let mut behind = self.implementation[server].object(env, sock)?;
        while self.delegate.class.has(env, &behind)? {
            behind = self.delegate.object(env, &behind)?;
        }
        Ok(behind)
    }

    fn state(&self, env: &mut Env<'_>, behind: &JObject<'_>) -> Result<jint, Failure> {
        if !self.state.class.has(env, behind)? {
            let text = "this socket has an implementation of its own, which hides its descriptor";
            return Err(Failure::NoSocket(text.to_owned()));
        }
        self.state.int(env, behind)
    }
}
