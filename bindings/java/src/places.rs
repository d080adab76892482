//! Where the JDK keeps the descriptors of its sockets and channels.

use std::sync::OnceLock;

use jni::objects::JObject;
use jni::sys::jint;
use jni::{Env, jni_sig, jni_str};

use crate::error::Failure;
use crate::jdk::{Class, Field, Method, Reference};

/// The members of its classes, found once. Of two, the first is a client's and the second a server's.
pub(crate) struct Places {
    // java.nio.channels
    is_open: Method<bool>,
    closed: Field<bool>,
    numbers: [Field<jint>; 2],
    asynchronous: [Field<Reference>; 2],
    state_locks: [Field<Reference>; 3],
    accesses: [(Method<()>, Method<()>); 2],
    // java.net
    channel: [Field<Reference>; 2],
    implementation: [Field<Reference>; 2],
    is_closed: [Method<bool>; 2],
    reuse_address: [Method<bool>; 2],
    delegate: Field<Reference>,
    state: Field<jint>,
    descriptor: Field<Reference>,
    number: Field<jint>,
    // javax.net.ssl
    ssl_socket: Class,
    layered_over: Field<Reference>,
}

/// What is behind a socket.
pub(crate) enum Behind<'local> {
    Nothing,
    Jdk(Implementation<'local>),
}

/// A `NioSocketImpl`: whoever makes it has asked.
pub(crate) struct Implementation<'local>(JObject<'local>);

impl<'local> AsRef<JObject<'local>> for Implementation<'local> {
    fn as_ref(&self) -> &JObject<'local> {
        &self.0
    }
}

/// `NioSocketImpl` has no descriptor yet.
pub(crate) const ST_NEW: jint = 0;
/// From this state on `NioSocketImpl` is closed.
pub(crate) const ST_CLOSING: jint = 4;

pub(crate) fn places(env: &mut Env<'_>) -> Result<&'static Places, Failure> {
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
        let any_channel = jni_str!("java/nio/channels/spi/AbstractInterruptibleChannel");
        let mut method = |class, name| Method::<bool>::find(env, class, name);
        let is_open = method(jni_str!("java/nio/channels/Channel"), jni_str!("isOpen"))?;
        let is_closed = jni_str!("isClosed");
        let is_closed = [method(socket, is_closed)?, method(server, is_closed)?];
        let reuse_address = jni_str!("getReuseAddress");
        let reuse_address = [method(socket, reuse_address)?, method(server, reuse_address)?];

        let mut access = |class| {
            let mut method = |name| Method::<()>::find(env, class, name);
            Ok::<_, Failure>((method(jni_str!("begin"))?, method(jni_str!("end"))?))
        };
        let accesses = [
            access(jni_str!("sun/nio/ch/AsynchronousSocketChannelImpl"))?,
            access(jni_str!("sun/nio/ch/AsynchronousServerSocketChannelImpl"))?,
        ];
        let mut int = |class, name| Field::<jint>::find(env, class, name);
        let number = jni_str!("fdVal");
        let numbers = [
            int(jni_str!("sun/nio/ch/SocketChannelImpl"), number)?,
            int(jni_str!("sun/nio/ch/ServerSocketChannelImpl"), number)?,
        ];
        let state = int(jni_str!("sun/nio/ch/NioSocketImpl"), jni_str!("state"))?;
        let number = int(jni_str!("java/io/FileDescriptor"), jni_str!("fd"))?;

        let mut reference =
            |class, name, signature| Field::<Reference>::find(env, class, name, signature);
        let fd = || (jni_str!("fd"), jni_sig!(java.io.FileDescriptor));
        let mut descriptor = |class| reference(class, fd().0, fd().1);
        let asynchronous = [
            descriptor(jni_str!("sun/nio/ch/AsynchronousSocketChannelImpl"))?,
            descriptor(jni_str!("sun/nio/ch/AsynchronousServerSocketChannelImpl"))?,
        ];
        let descriptor = descriptor(jni_str!("java/net/SocketImpl"))?;
        if !state.class.extends(env, &descriptor.class)? {
            return Err(jni::errors::Error::WrongObjectType.into());
        }
        let mut reference =
            |class, name, signature| Field::<Reference>::find(env, class, name, signature);
        let channel = [
            reference(
                jni_str!("sun/nio/ch/SocketAdaptor"),
                jni_str!("sc"),
                jni_sig!(sun.nio.ch.SocketChannelImpl),
            )?,
            reference(
                jni_str!("sun/nio/ch/ServerSocketAdaptor"),
                jni_str!("ssc"),
                jni_sig!(sun.nio.ch.ServerSocketChannelImpl),
            )?,
        ];
        let mut state_lock =
            |class| reference(class, jni_str!("stateLock"), jni_sig!(java.lang.Object));
        let state_locks = [
            state_lock(jni_str!("sun/nio/ch/NioSocketImpl"))?,
            state_lock(jni_str!("sun/nio/ch/SocketChannelImpl"))?,
            state_lock(jni_str!("sun/nio/ch/ServerSocketChannelImpl"))?,
        ];
        let mut implementation =
            |class, name| reference(class, name, jni_sig!(java.net.SocketImpl));
        Ok(Places {
            is_open,
            numbers,
            asynchronous,
            state_locks,
            accesses,
            channel,
            implementation: [
                implementation(socket, jni_str!("impl"))?,
                implementation(server, jni_str!("impl"))?,
            ],
            delegate: implementation(
                jni_str!("java/net/DelegatingSocketImpl"),
                jni_str!("delegate"),
            )?,
            is_closed,
            reuse_address,
            state,
            descriptor,
            number,
            layered_over: reference(
                jni_str!("sun/security/ssl/BaseSSLSocketImpl"),
                jni_str!("self"),
                jni_sig!(java.net.Socket),
            )?,
            // Asked by its field: to call a method costs as much as the system call does.
            closed: Field::<bool>::find(env, any_channel, jni_str!("closed"))?,
            ssl_socket: Class::find(env, jni_str!("javax/net/ssl/SSLSocket"))?,
        })
    }
}

impl Places {
    /// The number of a `SocketChannel`; nothing where it is something else.
    pub(crate) fn client_channel(&self, env: &Env<'_>, channel: &JObject<'_>) -> Option<jint> {
        self.numbers[0].get(env, channel)
    }

    /// The number of any other channel; nothing where it is something else.
    pub(crate) fn other_channel(&self, env: &mut Env<'_>, channel: &JObject<'_>) -> Option<jint> {
        if let Some(number) = self.numbers[1].get(env, channel) {
            return Some(number);
        }
        let descriptor = self.asynchronous.iter().find_map(|field| field.get(env, channel))?;
        self.number.get(env, &descriptor)
    }

    pub(crate) fn is_channel_open(
        &self,
        env: &mut Env<'_>,
        channel: &JObject<'_>,
    ) -> Result<bool, Failure> {
        match self.closed.get(env, channel) {
            Some(closed) => Ok(!closed),
            // Asynchronous ones each have a field of their own.
            None => self.is_open.is(env, channel),
        }
    }

    /// The socket that TLS was put over; nothing where it was not.
    pub(crate) fn under_tls<'local>(
        &self,
        env: &mut Env<'local>,
        sock: &JObject<'_>,
    ) -> Result<Option<JObject<'local>>, Failure> {
        let mut under: Option<JObject<'local>> = None;
        loop {
            let over = under.as_ref().unwrap_or(sock);
            if !self.ssl_socket.has(env, over) {
                return Ok(under);
            }
            let Some(next) = self.layered_over.get(env, over) else {
                let text = "this TLS socket is not the JDK's own and hides its descriptor";
                return Err(Failure::NoSocket(text.to_owned()));
            };
            if env.is_same_object(&next, over)? {
                return Ok(under);
            }
            under = Some(next);
        }
    }

    /// The channel of which a socket is only another view; nothing where it is none.
    pub(crate) fn channel_of_adaptor<'local>(
        &self,
        env: &mut Env<'local>,
        server: bool,
        sock: &JObject<'_>,
    ) -> Option<JObject<'local>> {
        self.channel[usize::from(server)].get(env, sock)
    }

    /// The implementation of a socket, without what the JDK wraps around it; nothing where it is no
    /// socket, and `Behind::Nothing` where it has none yet.
    pub(crate) fn behind<'local>(
        &self,
        env: &mut Env<'local>,
        server: bool,
        sock: &JObject<'_>,
    ) -> Result<Option<Behind<'local>>, Failure> {
        let Some(mut behind) = self.implementation[usize::from(server)].get(env, sock) else {
            return Ok(None);
        };
        while !behind.is_null() {
            if self.state.class.has(env, &behind) {
                return Ok(Some(Behind::Jdk(Implementation(behind))));
            }
            let Some(delegate) = self.delegate.get(env, &behind) else {
                let text =
                    "this socket has an implementation of its own, which hides its descriptor";
                return Err(Failure::NoSocket(text.to_owned()));
            };
            behind = delegate;
        }
        Ok(Some(Behind::Nothing))
    }

    pub(crate) fn state(&self, env: &Env<'_>, behind: &Implementation<'_>) -> jint {
        // SAFETY: it is a `NioSocketImpl`.
        unsafe { self.state.read(env, &behind.0) }
    }

    /// The number of an open one's descriptor.
    pub(crate) fn number(
        &self,
        env: &mut Env<'_>,
        behind: &Implementation<'_>,
    ) -> Result<jint, Failure> {
        // SAFETY: it is a `NioSocketImpl`, which extends `SocketImpl`: `find` has asked.
        let descriptor = unsafe { self.descriptor.read(env, &behind.0) };
        if descriptor.is_null() {
            return Err(jni::errors::Error::NullPtr("the descriptor of an open socket").into());
        }
        // SAFETY: the field's type is `FileDescriptor`, and this is not null.
        Ok(unsafe { self.number.read(env, &descriptor) })
    }

    /// The number in a `FileDescriptor`; nothing where it is something else.
    pub(crate) fn in_descriptor(&self, env: &Env<'_>, descriptor: &JObject<'_>) -> Option<jint> {
        self.number.get(env, descriptor)
    }

    pub(crate) fn is_closed(
        &self,
        env: &mut Env<'_>,
        server: bool,
        sock: &JObject<'_>,
    ) -> Result<bool, Failure> {
        self.is_closed[usize::from(server)].is(env, sock)
    }

    /// The first question to a socket makes its descriptor.
    pub(crate) fn make_descriptor(
        &self,
        env: &mut Env<'_>,
        server: bool,
        sock: &JObject<'_>,
    ) -> Result<(), Failure> {
        self.reuse_address[usize::from(server)].is(env, sock).map(drop)
    }

    /// Does something while nobody closes a channel, or what is behind a socket. Does nothing where it
    /// is closed already.
    pub(crate) fn hold<T>(
        &self,
        env: &mut Env<'_>,
        object: &JObject<'_>,
        act: impl FnOnce(&mut Env<'_>) -> Result<Option<T>, Failure>,
    ) -> Result<Option<T>, Failure> {
        // Under this lock they change their state, and close their descriptors.
        if let Some(lock) = self.state_locks.iter().find_map(|field| field.get(env, object)) {
            let _held = env.lock_obj(&lock)?;
            return act(env);
        }
        // Asynchronous ones have a lock for reading, of which their closing waits for the end.
        let access = self.accesses.iter().find(|(begin, _)| begin.is_of(env, object));
        let (begin, end) = access.ok_or(jni::errors::Error::WrongObjectType)?;
        if begin.call(env, object).is_err() {
            // A ClosedChannelException.
            env.exception_clear();
            return Ok(None);
        }
        let done = act(env);
        end.call(env, object)?;
        done
    }
}
