//! Makes channels for descriptors of core's, by the constructors that the JDK itself uses.

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use jni::objects::{JClass, JObject, JValue};
use jni::signature::MethodSignature;
use jni::strings::JNIStr;
use jni::{Env, jni_sig, jni_str};
use subflows::Family;

use crate::error::Failure;

/// Makes a `SocketChannel`, by the constructor for accepted connections.
pub(crate) fn client<'local>(
    env: &mut Env<'local>,
    end: (OwnedFd, Family),
    provider: &JObject<'_>,
    remote: &JObject<'_>,
) -> Result<JObject<'local>, Failure> {
    let signature = jni_sig!((
        provider: java.nio.channels.spi.SelectorProvider,
        family: java.net.ProtocolFamily,
        fd: java.io.FileDescriptor,
        remote: java.net.SocketAddress
    ));
    let class = jni_str!("sun/nio/ch/SocketChannelImpl");
    channel(env, class, signature, end, provider, JValue::Object(remote))
}

/// Makes a `ServerSocketChannel`, by the constructor for inherited listeners.
pub(crate) fn server<'local>(
    env: &mut Env<'local>,
    end: (OwnedFd, Family),
    provider: &JObject<'_>,
) -> Result<JObject<'local>, Failure> {
    let signature = jni_sig!((
        provider: java.nio.channels.spi.SelectorProvider,
        family: java.net.ProtocolFamily,
        fd: java.io.FileDescriptor,
        bound: jboolean
    ));
    let class = jni_str!("sun/nio/ch/ServerSocketChannelImpl");
    channel(env, class, signature, end, provider, JValue::Bool(true))
}

fn channel<'local>(
    env: &mut Env<'local>,
    class: &JNIStr,
    signature: MethodSignature<'_, '_>,
    (fd, family): (OwnedFd, Family),
    provider: &JObject<'_>,
    last: JValue<'_>,
) -> Result<JObject<'local>, Failure> {
    let (descriptor, family) = (descriptor(env, &fd)?, java_family(env, family)?);
    let [provider, family, descriptor] = [provider, &family, &descriptor].map(JValue::Object);
    let class = env.find_class(class)?;
    let channel = env.new_object(class, signature, &[provider, family, descriptor, last])?;
    // From here on the channel owns the descriptor.
    let _ = fd.into_raw_fd();
    Ok(channel)
}

/// Returns the provider that the JDK uses if no property names another. Its class is not public.
pub(crate) fn default_provider<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
) -> Result<JObject<'local>, Failure> {
    let provider = env.call_static_method(
        jni_str!("sun/nio/ch/DefaultSelectorProvider"),
        jni_str!("get"),
        jni_sig!(() -> sun.nio.ch.SelectorProviderImpl),
        &[],
    )?;
    Ok(provider.l()?)
}

fn descriptor<'local>(env: &mut Env<'local>, fd: &OwnedFd) -> Result<JObject<'local>, Failure> {
    let class = env.find_class(jni_str!("java/io/FileDescriptor"))?;
    let number = [JValue::Int(fd.as_raw_fd())];
    Ok(env.new_object(class, jni_sig!((fd: jint)), &number)?)
}

fn java_family<'local>(env: &mut Env<'local>, family: Family) -> Result<JObject<'local>, Failure> {
    let name = if family == Family::V4 { jni_str!("INET") } else { jni_str!("INET6") };
    let class = jni_str!("java/net/StandardProtocolFamily");
    Ok(env.get_static_field(class, name, jni_sig!(java.net.StandardProtocolFamily))?.l()?)
}
