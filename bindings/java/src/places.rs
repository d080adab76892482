//! Where the JDK keeps the descriptors of its sockets and channels.

use std::sync::OnceLock;

use jni::objects::JObject;
use jni::sys::jint;
use jni::{Env, jni_sig, jni_str};

use crate::error::Failure;
use crate::jdk::{Class, Field, Method};

/// The members of its classes, found once.
pub(crate) struct Places {
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

impl Places {
    /// The number of a `SocketChannel`; nothing where it is something else.
    pub(crate) fn client_channel(
        &self,
        env: &mut Env<'_>,
        channel: &JObject<'_>,
    ) -> Result<Option<jint>, Failure> {
        self.numbers[0].int(env, channel)
    }

    /// The number of any other channel; nothing where it is something else.
    pub(crate) fn other_channel(
        &self,
        env: &mut Env<'_>,
        channel: &JObject<'_>,
    ) -> Result<Option<jint>, Failure> {
        if let Some(number) = self.numbers[1].int(env, channel)? {
            return Ok(Some(number));
        }
        for field in &self.asynchronous {
            if let Some(descriptor) = field.object(env, channel)? {
                return self.number.int(env, &descriptor);
            }
        }
        Ok(None)
    }

    pub(crate) fn is_channel_open(
        &self,
        env: &mut Env<'_>,
        channel: &JObject<'_>,
    ) -> Result<bool, Failure> {
        match self.closed.is(env, channel)? {
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
            if !self.ssl_socket.has(env, over)? {
                return Ok(under);
            }
            let Some(next) = self.layered_over.object(env, over)? else {
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
    ) -> Result<Option<JObject<'local>>, Failure> {
        self.channel[usize::from(server)].object(env, sock)
    }

    /// The implementation of a socket, without what the JDK wraps around it, or null where it has none
    /// yet; nothing where it is no socket.
    pub(crate) fn behind<'local>(
        &self,
        env: &mut Env<'local>,
        server: bool,
        sock: &JObject<'_>,
    ) -> Result<Option<JObject<'local>>, Failure> {
        let Some(mut behind) = self.implementation[usize::from(server)].object(env, sock)? else {
            return Ok(None);
        };
        while let Some(delegate) = self.delegate.object(env, &behind)? {
            behind = delegate;
        }
        Ok(Some(behind))
    }

    /// The state of what is behind a socket.
    pub(crate) fn state(&self, env: &mut Env<'_>, behind: &JObject<'_>) -> Result<jint, Failure> {
        match self.state.int(env, behind)? {
            Some(state) => Ok(state),
            None if behind.is_null() => Ok(ST_NEW),
            None => {
                let text =
                    "this socket has an implementation of its own, which hides its descriptor";
                Err(Failure::NoSocket(text.to_owned()))
            }
        }
    }

    /// The number of what is behind a socket.
    pub(crate) fn number(&self, env: &mut Env<'_>, behind: &JObject<'_>) -> Result<jint, Failure> {
        let none = jni::errors::Error::NullPtr("a file descriptor");
        let Some(descriptor) = self.descriptor.object(env, behind)? else {
            return Err(none.into());
        };
        self.number.int(env, &descriptor)?.ok_or(none.into())
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
}
