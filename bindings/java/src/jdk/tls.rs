//! TLS: the socket under an `SSLSocket` of the JDK's.

use jni::objects::JObject;
use jni::{Env, jni_sig, jni_str};

use super::members::{Class, Field, Reference};
use crate::error::Failure;

pub(super) struct TlsFields {
    ssl_socket: Class,
    layered_over: Field<Reference>,
}

impl TlsFields {
    pub(super) fn find(env: &mut Env<'_>) -> Result<TlsFields, Failure> {
        let base = jni_str!("sun/security/ssl/BaseSSLSocketImpl");
        let socket = jni_sig!(java.net.Socket);
        Ok(TlsFields {
            ssl_socket: Class::find(env, jni_str!("javax/net/ssl/SSLSocket"))?,
            layered_over: Field::<Reference>::find(env, base, jni_str!("self"), socket)?,
        })
    }

    /// The socket that TLS was layered over, or `None` if it was not layered over another one.
    pub(super) fn under<'local>(
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
}
