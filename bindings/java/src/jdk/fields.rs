//! The members of the JDK's classes that lead to the descriptors of its sockets and channels,
//! looked up once.

use std::sync::OnceLock;

use jni::objects::JObject;
use jni::sys::jint;
use jni::{Env, jni_str};

use super::channel::{ChannelFields, ChannelState};
use super::implementation::{Implementation, ImplementationFields, NioSocketImpl};
use super::members::Field;
use super::socket::SocketFields;
use super::tls::TlsFields;
use crate::error::Failure;

/// All of them.
pub(super) struct JdkFields {
    pub(super) client: SideFields,
    pub(super) server: SideFields,
    pub(super) channel_state: ChannelState,
    pub(super) implementation: ImplementationFields,
    pub(super) tls: TlsFields,
    /// The number in a `FileDescriptor`.
    pub(super) descriptor_number: Field<jint>,
}

/// Those of one side of a connection, a client's or a server's.
pub(super) struct SideFields {
    pub(super) socket: SocketFields,
    pub(super) channel: ChannelFields,
}

/// The members, which the first call looks up.
pub(super) fn fields(env: &mut Env<'_>) -> Result<&'static JdkFields, Failure> {
    static FIELDS: OnceLock<JdkFields> = OnceLock::new();
    if let Some(fields) = FIELDS.get() {
        return Ok(fields);
    }
    let found = JdkFields::find(env)?;
    Ok(FIELDS.get_or_init(|| found))
}

impl JdkFields {
    fn find(env: &mut Env<'_>) -> Result<JdkFields, Failure> {
        let descriptor = jni_str!("java/io/FileDescriptor");
        Ok(JdkFields {
            client: SideFields {
                socket: SocketFields::of_client(env)?,
                channel: ChannelFields::of_client(env)?,
            },
            server: SideFields {
                socket: SocketFields::of_server(env)?,
                channel: ChannelFields::of_server(env)?,
            },
            channel_state: ChannelState::find(env)?,
            implementation: ImplementationFields::find(env)?,
            tls: TlsFields::find(env)?,
            descriptor_number: Field::<jint>::find(env, descriptor, jni_str!("fd"))?,
        })
    }

    /// The number of the descriptor of an open socket.
    pub(super) fn in_implementation(
        &self,
        env: &mut Env<'_>,
        nio: &NioSocketImpl<'_>,
    ) -> Result<jint, Failure> {
        let descriptor = self.implementation.descriptor(env, nio)?;
        // SAFETY: the field's type is `FileDescriptor`, and this is not null.
        Ok(unsafe { self.descriptor_number.read(env, &descriptor) })
    }

    /// The number of the descriptor of a channel that is not a `SocketChannel`, or `None` for an
    /// object of another class.
    pub(super) fn in_other_channel(
        &self,
        env: &mut Env<'_>,
        channel: &JObject<'_>,
    ) -> Option<jint> {
        if let Some(number) = self.server.channel.number.get(env, channel) {
            return Some(number);
        }
        let descriptor = match self.client.channel.asynchronous_descriptor.get(env, channel) {
            Some(descriptor) => descriptor,
            None => self.server.channel.asynchronous_descriptor.get(env, channel)?,
        };
        self.descriptor_number.get(env, &descriptor)
    }

    /// The implementation of a socket of that side, or `None` for an object of another class.
    pub(super) fn implementation_of<'local>(
        &self,
        env: &mut Env<'local>,
        side: &SideFields,
        sock: &JObject<'_>,
    ) -> Result<Option<Implementation<'local>>, Failure> {
        match side.socket.implementation.get(env, sock) {
            Some(implementation) => self.implementation.unwrap(env, implementation).map(Some),
            None => Ok(None),
        }
    }

    /// Calls `act` while no other thread can close the object, a channel or a `NioSocketImpl`.
    /// Returns `None` if it is closed already.
    pub(super) fn with_close_lock<T>(
        &self,
        env: &mut Env<'_>,
        object: &JObject<'_>,
        act: impl FnOnce(&mut Env<'_>) -> Result<Option<T>, Failure>,
    ) -> Result<Option<T>, Failure> {
        let (client, server) = (&self.client.channel, &self.server.channel);
        let mut lock = self.implementation.state_lock.get(env, object);
        for channel in [client, server] {
            lock = lock.or_else(|| channel.state_lock.get(env, object));
        }
        if let Some(lock) = lock {
            let _held = env.lock_obj(&lock)?;
            return act(env);
        }
        let asynchronous = [client, server].into_iter().find(|it| it.is_asynchronous(env, object));
        let asynchronous = asynchronous.ok_or(jni::errors::Error::WrongObjectType)?;
        asynchronous.with_asynchronous(env, object, act)
    }
}
