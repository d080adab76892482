//! Channels: the members of `SocketChannelImpl`, `ServerSocketChannelImpl` and their asynchronous
//! kinds.

use jni::objects::JObject;
use jni::strings::JNIStr;
use jni::sys::jint;
use jni::{Env, jni_sig, jni_str};

use super::members::{Field, Method, Reference};
use crate::error::Failure;

/// The members of the channels of one side, a client's or a server's.
pub(super) struct ChannelFields {
    /// The number of a channel's descriptor.
    pub(super) number: Field<jint>,
    /// Under this lock a channel changes its state, and closes its descriptor.
    pub(super) state_lock: Field<Reference>,
    /// The descriptor of an asynchronous channel.
    pub(super) asynchronous_descriptor: Field<Reference>,
    /// An asynchronous channel has a lock for reading instead: closing waits until it is released.
    begin: Method<()>,
    end: Method<()>,
}

impl ChannelFields {
    pub(super) fn of_client(env: &mut Env<'_>) -> Result<ChannelFields, Failure> {
        ChannelFields::find(
            env,
            jni_str!("sun/nio/ch/SocketChannelImpl"),
            jni_str!("sun/nio/ch/AsynchronousSocketChannelImpl"),
        )
    }

    pub(super) fn of_server(env: &mut Env<'_>) -> Result<ChannelFields, Failure> {
        ChannelFields::find(
            env,
            jni_str!("sun/nio/ch/ServerSocketChannelImpl"),
            jni_str!("sun/nio/ch/AsynchronousServerSocketChannelImpl"),
        )
    }

    fn find(
        env: &mut Env<'_>,
        class: &JNIStr,
        asynchronous: &JNIStr,
    ) -> Result<ChannelFields, Failure> {
        let lock = jni_sig!(java.lang.Object);
        let descriptor = jni_sig!(java.io.FileDescriptor);
        Ok(ChannelFields {
            number: Field::<jint>::find(env, class, jni_str!("fdVal"))?,
            state_lock: Field::<Reference>::find(env, class, jni_str!("stateLock"), lock)?,
            asynchronous_descriptor: Field::<Reference>::find(
                env,
                asynchronous,
                jni_str!("fd"),
                descriptor,
            )?,
            begin: Method::<()>::find(env, asynchronous, jni_str!("begin"))?,
            end: Method::<()>::find(env, asynchronous, jni_str!("end"))?,
        })
    }

    /// Whether the object is an asynchronous channel of this side.
    pub(super) fn is_asynchronous(&self, env: &Env<'_>, object: &JObject<'_>) -> bool {
        self.begin.is_of(env, object)
    }

    /// Calls `act` while no other thread can close the asynchronous channel. Returns `None` if it is
    /// closed already.
    pub(super) fn with_asynchronous<T>(
        &self,
        env: &mut Env<'_>,
        channel: &JObject<'_>,
        act: impl FnOnce(&mut Env<'_>) -> Result<Option<T>, Failure>,
    ) -> Result<Option<T>, Failure> {
        if self.begin.call(env, channel).is_err() {
            // A ClosedChannelException.
            env.exception_clear();
            return Ok(None);
        }
        let done = act(env);
        self.end.call(env, channel)?;
        done
    }
}

/// Whether a channel of any kind is open.
pub(super) struct ChannelState {
    closed: Field<bool>,
    is_open: Method<bool>,
}

impl ChannelState {
    pub(super) fn find(env: &mut Env<'_>) -> Result<ChannelState, Failure> {
        let interruptible = jni_str!("java/nio/channels/spi/AbstractInterruptibleChannel");
        let any = jni_str!("java/nio/channels/Channel");
        Ok(ChannelState {
            closed: Field::<bool>::find(env, interruptible, jni_str!("closed"))?,
            is_open: Method::<bool>::find(env, any, jni_str!("isOpen"))?,
        })
    }

    pub(super) fn is_open(
        &self,
        env: &mut Env<'_>,
        channel: &JObject<'_>,
    ) -> Result<bool, Failure> {
        // The field is read if the class has it: calling the method costs as much as a system call.
        match self.closed.get(env, channel) {
            Some(closed) => Ok(!closed),
            // Each class of asynchronous channels has a field of its own.
            None => self.is_open.is(env, channel),
        }
    }
}
