//! Sockets: the members of `java.net.Socket` and `java.net.ServerSocket`.

use jni::objects::JObject;
use jni::signature::FieldSignature;
use jni::strings::JNIStr;
use jni::{Env, jni_sig, jni_str};

use super::members::{Field, Method, Reference};
use crate::error::Failure;

/// The members of one of the two classes.
pub(super) struct SocketFields {
    /// The channel that a socket only adapts.
    pub(super) adapted_channel: Field<Reference>,
    /// The implementation of a socket, which may be null.
    pub(super) implementation: Field<Reference>,
    pub(super) is_closed: Method<bool>,
    reuse_address: Method<bool>,
}

impl SocketFields {
    pub(super) fn of_client(env: &mut Env<'_>) -> Result<SocketFields, Failure> {
        SocketFields::find(
            env,
            jni_str!("java/net/Socket"),
            jni_str!("sun/nio/ch/SocketAdaptor"),
            jni_str!("sc"),
            jni_sig!(sun.nio.ch.SocketChannelImpl),
        )
    }

    pub(super) fn of_server(env: &mut Env<'_>) -> Result<SocketFields, Failure> {
        SocketFields::find(
            env,
            jni_str!("java/net/ServerSocket"),
            jni_str!("sun/nio/ch/ServerSocketAdaptor"),
            jni_str!("ssc"),
            jni_sig!(sun.nio.ch.ServerSocketChannelImpl),
        )
    }

    fn find(
        env: &mut Env<'_>,
        class: &JNIStr,
        adaptor: &JNIStr,
        channel: &JNIStr,
        channel_type: FieldSignature<'_>,
    ) -> Result<SocketFields, Failure> {
        let implementation = jni_sig!(java.net.SocketImpl);
        Ok(SocketFields {
            adapted_channel: Field::<Reference>::find(env, adaptor, channel, channel_type)?,
            implementation: Field::<Reference>::find(env, class, jni_str!("impl"), implementation)?,
            is_closed: Method::<bool>::find(env, class, jni_str!("isClosed"))?,
            reuse_address: Method::<bool>::find(env, class, jni_str!("getReuseAddress"))?,
        })
    }

    /// Lets a socket create its descriptor, which it does when it is first asked for an option.
    pub(super) fn create_descriptor(
        &self,
        env: &mut Env<'_>,
        sock: &JObject<'_>,
    ) -> Result<(), Failure> {
        self.reuse_address.is(env, sock).map(drop)
    }
}
