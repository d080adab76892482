//! What can go wrong, as Java throws it.

use std::any::Any;
use std::fmt;

use jni::errors::ErrorPolicy;
use jni::objects::{JObject, JString, JThrowable, JValue};
use jni::{Env, jni_sig, jni_str};
use subflows::{Error, ErrorKind};

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What core says.
    Core(Error),
    /// The object was closed, before the call or during it.
    Closed(&'static str),
    /// The object has no descriptor that can be found.
    NoSocket(String),
    /// The words from the other side make no sense: a bug of ours.
    Words,
    /// The handle is closed: the Java side says it in its own words.
    Over,
    /// A system call of our own failed.
    Os(&'static str, i32),
    /// What Java threw, or a bug of ours.
    Java(jni::errors::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Core(error)
    }
}

impl From<jni::errors::Error> for Failure {
    fn from(error: jni::errors::Error) -> Self {
        Failure::Java(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Os("wait", error.raw_os_error().unwrap_or(0))
    }
}

/// Throws a failure as what it is, and gives Java nothing.
pub(crate) struct Throw;

impl<T: Default> ErrorPolicy<T, Failure> for Throw {
    type Captures<'unowned_env_local: 'native_method, 'native_method> = ();

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        (): &mut (),
        failure: Failure,
    ) -> jni::errors::Result<T> {
        // What Java threw goes on by itself.
        if !env.exception_check() {
            thrown(throw(env, &failure))?;
        }
        Ok(T::default())
    }

    fn on_panic<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        (): &mut (),
        payload: Box<dyn Any + Send + 'static>,
    ) -> jni::errors::Result<T> {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
        if !env.exception_check() {
            thrown(bug(env, &text))?;
        }
        Ok(T::default())
    }
}

/// That something was thrown is told as an error, and is none here.
fn thrown(result: jni::errors::Result<()>) -> jni::errors::Result<()> {
    match result {
        Err(jni::errors::Error::JavaException) => Ok(()),
        other => other,
    }
}

fn throw(env: &mut Env<'_>, failure: &Failure) -> jni::errors::Result<()> {
    match failure {
        Failure::Core(error) => raise(
            env,
            (error.kind(), error.raw_os_error(), error.operation()),
            (&error.to_string(), error.remedy(), error.kernel_text()),
        ),
        Failure::Closed(operation) => {
            let kind = ErrorKind::Closed;
            let text = format!("{operation}: the socket is closed. {}", kind.remedy());
            raise(env, (kind, None, operation), (&text, kind.remedy(), None))
        }
        Failure::NoSocket(what) => {
            let remedy = "Give the socket under it, or its channel.";
            let text = format!("{what}. {remedy}");
            raise(env, (ErrorKind::InvalidArgument, None, ""), (&text, remedy, None))
        }
        Failure::Os(operation, number) => {
            let kind = ErrorKind::Os;
            let error = std::io::Error::from_raw_os_error(*number);
            let text = format!("{operation}: {error}. {}", kind.remedy());
            raise(env, (kind, Some(*number), operation), (&text, kind.remedy(), None))
        }
        Failure::Over => env.throw_new_void(jni_str!("java/nio/channels/ClosedChannelException")),
        Failure::Words => bug(env, "words that make no sense"),
        Failure::Java(error) => bug(env, &error.to_string()),
    }
}

/// Throws a `SubflowsException`.
fn raise(
    env: &mut Env<'_>,
    (kind, errno, operation): (ErrorKind, Option<i32>, &str),
    (message, remedy, kernel_text): (&str, &str, Option<&str>),
) -> jni::errors::Result<()> {
    let operation = env.new_string(operation)?;
    let message = env.new_string(message)?;
    let remedy = env.new_string(remedy)?;
    let kernel_text = match kernel_text {
        Some(text) => env.new_string(text)?,
        None => JString::null(),
    };
    let class = env.find_class(jni_str!("org/subflows/SubflowsException"))?;
    let exception = env.new_object(
        class,
        jni_sig!((
            kind: jint,
            errno: jint,
            operation: JString,
            message: JString,
            remedy: JString,
            kernel_text: JString
        )),
        &[
            JValue::Int(kind.code()),
            JValue::Int(errno.unwrap_or(0)),
            JValue::Object(&operation),
            JValue::Object(&message),
            JValue::Object(&remedy),
            JValue::Object(&kernel_text),
        ],
    )?;
    throw_object(env, exception)
}

fn throw_object(env: &mut Env<'_>, exception: JObject<'_>) -> jni::errors::Result<()> {
    let exception = env.cast_local::<JThrowable>(exception)?;
    env.throw(exception)
}

fn bug(env: &mut Env<'_>, text: &str) -> jni::errors::Result<()> {
    let text = format!("a bug in subflows: {text}");
    let message = env.new_string(text)?;
    let class = env.find_class(jni_str!("java/lang/AssertionError"))?;
    let error =
        env.new_object(class, jni_sig!((message: java.lang.Object)), &[JValue::Object(&message)])?;
    throw_object(env, error)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Failure {}
