//! The implementation behind a socket: the members of `NioSocketImpl`, and of the classes that the JDK wraps
//! around it.

use jni::objects::JObject;
use jni::sys::jint;
use jni::{Env, jni_sig, jni_str};

use super::members::{Field, Reference};
use crate::error::Failure;

/// The implementation behind a socket.
pub(super) enum Implementation<'local> {
    /// The JDK has not created it yet, and does so when it is needed.
    NotCreated,
    Nio(NioSocketImpl<'local>),
}

/// An object of that class: only [`ImplementationFields::unwrap`] makes one, after checking the class.
pub(super) struct NioSocketImpl<'local>(JObject<'local>);

impl<'local> AsRef<JObject<'local>> for NioSocketImpl<'local> {
    fn as_ref(&self) -> &JObject<'local> {
        &self.0
    }
}

/// The state of a `NioSocketImpl` that has no descriptor yet.
const ST_NEW: jint = 0;
/// The first of its states in which it is closed.
const ST_CLOSING: jint = 4;

pub(super) struct ImplementationFields {
    state: Field<jint>,
    /// Under this lock it changes its state, and closes its descriptor.
    pub(super) state_lock: Field<Reference>,
    descriptor: Field<Reference>,
    delegate: Field<Reference>,
}

impl ImplementationFields {
    pub(super) fn find(env: &mut Env<'_>) -> Result<ImplementationFields, Failure> {
        let nio = jni_str!("sun/nio/ch/NioSocketImpl");
        let base = jni_str!("java/net/SocketImpl");
        let wrapper = jni_str!("java/net/DelegatingSocketImpl");
        let lock = jni_sig!(java.lang.Object);
        let descriptor = jni_sig!(java.io.FileDescriptor);
        let delegate = jni_sig!(java.net.SocketImpl);
        let fields = ImplementationFields {
            state: Field::<jint>::find(env, nio, jni_str!("state"))?,
            state_lock: Field::<Reference>::find(env, nio, jni_str!("stateLock"), lock)?,
            descriptor: Field::<Reference>::find(env, base, jni_str!("fd"), descriptor)?,
            delegate: Field::<Reference>::find(env, wrapper, jni_str!("delegate"), delegate)?,
        };
        if fields.state.class.extends(env, &fields.descriptor.class)? {
            Ok(fields)
        } else {
            Err(jni::errors::Error::WrongObjectType.into())
        }
    }

    /// The implementation inside those that only pass their calls on.
    pub(super) fn unwrap<'local>(
        &self,
        env: &mut Env<'local>,
        mut implementation: JObject<'local>,
    ) -> Result<Implementation<'local>, Failure> {
        while !implementation.is_null() {
            if self.state.class.has(env, &implementation) {
                return Ok(Implementation::Nio(NioSocketImpl(implementation)));
            }
            let Some(delegate) = self.delegate.get(env, &implementation) else {
                let text =
                    "this socket has an implementation of its own, which hides its descriptor";
                return Err(Failure::NoSocket(text.to_owned()));
            };
            implementation = delegate;
        }
        Ok(Implementation::NotCreated)
    }

    /// Whether it has no descriptor yet.
    pub(super) fn is_new(&self, env: &Env<'_>, nio: &NioSocketImpl<'_>) -> bool {
        self.state(env, nio) == ST_NEW
    }

    pub(super) fn is_closed(&self, env: &Env<'_>, nio: &NioSocketImpl<'_>) -> bool {
        self.state(env, nio) >= ST_CLOSING
    }

    fn state(&self, env: &Env<'_>, nio: &NioSocketImpl<'_>) -> jint {
        // SAFETY: it is a `NioSocketImpl`.
        unsafe { self.state.read(env, &nio.0) }
    }

    /// The `FileDescriptor` of an open one, which is not null.
    pub(super) fn descriptor<'local>(
        &self,
        env: &mut Env<'local>,
        nio: &NioSocketImpl<'_>,
    ) -> Result<JObject<'local>, Failure> {
        // SAFETY: it is a `NioSocketImpl`, which extends `SocketImpl`: `find` has checked.
        let descriptor = unsafe { self.descriptor.read(env, &nio.0) };
        if descriptor.is_null() {
            Err(jni::errors::Error::NullPtr("the descriptor of an open socket").into())
        } else {
            Ok(descriptor)
        }
    }
}
