//! Failures, and the exceptions that Java throws for them.

use std::any::Any;
use std::fmt;

use jni::errors::ErrorPolicy;
use jni::objects::{JObject, JString, JThrowable, JValue};
use jni::strings::JNIString;
use jni::{Env, jni_sig, jni_str};
use nix::errno::Errno;
use subflows::{Error, ErrorKind};

/// Why a call failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of core's.
    Core(Error),
    /// The object was closed, before the call or during it.
    Closed(&'static str),
    /// The descriptor of the object cannot be found.
    NoSocket(String),
    /// An argument that core's type cannot hold. The error is the one that core reports for a number
    /// that does not exist.
    BadArgument(BadArgument),
    /// The packed words from Java are inconsistent: a bug in this library.
    Corrupt,
    /// The handle is closed: a `ClosedChannelException`.
    HandleClosed,
    /// A system call of the native part failed.
    Os(&'static str, i32),
    /// An exception that Java threw, or a bug in this library.
    Java(jni::errors::Error),
}

/// What is wrong with an argument, and what to pass instead.
#[derive(Debug)]
pub(crate) struct BadArgument {
    pub(crate) operation: &'static str,
    pub(crate) kind: ErrorKind,
    pub(crate) errno: Option<Errno>,
    pub(crate) what: String,
    pub(crate) remedy: String,
}

impl From<BadArgument> for Failure {
    fn from(bad: BadArgument) -> Self {
        Failure::BadArgument(bad)
    }
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

impl Failure {
    /// A system call of the native part failed in that verb, by the standard library's error.
    pub(crate) fn io(operation: &'static str, error: &std::io::Error) -> Failure {
        Failure::Os(operation, error.raw_os_error().unwrap_or(0))
    }
}

/// Throws the exception for a failure. The native function then returns the default value.
pub(crate) struct Throw;

impl<T: Default> ErrorPolicy<T, Failure> for Throw {
    type Captures<'unowned_env_local: 'native_method, 'native_method> = ();

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        (): &mut (),
        failure: Failure,
    ) -> jni::errors::Result<T> {
        // An exception that Java threw is pending already.
        if !env.exception_check() {
            let result = throw(env, &failure);
            or_fatal(env, result, &failure.to_string());
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
            let result = bug(env, &text);
            or_fatal(env, result, &text);
        }
        Ok(T::default())
    }
}

/// Throws the text if no exception is pending, and ends the JVM if that fails too: Java must not
/// take the default value for a result.
fn or_fatal(env: &mut Env<'_>, result: jni::errors::Result<()>, text: &str) {
    if env.exception_check() {
        return;
    }
    // In a function that replaces one of the JDK's, the class loader is that of the JDK and does not
    // find the classes of this library. The JDK's callers expect this exception.
    let class = jni_str!("java/net/SocketException");
    let _ = env.throw_new(class, JNIString::new(text));
    if !env.exception_check() {
        let text = format!("subflows: {text}; and it could not be thrown: {result:?}");
        env.fatal_error(&JNIString::new(text));
    }
}

fn throw(env: &mut Env<'_>, failure: &Failure) -> jni::errors::Result<()> {
    let text = failure.to_string();
    match failure {
        Failure::Core(error) => raise(
            env,
            (error.kind(), error.raw_os_error(), error.operation()),
            (&text, error.remedy(), error.kernel_text()),
        ),
        Failure::Closed(operation) => {
            let kind = ErrorKind::Closed;
            raise(env, (kind, None, operation), (&text, kind.remedy(), None))
        }
        Failure::NoSocket(_) => {
            raise(env, (ErrorKind::InvalidArgument, None, ""), (&text, PASS_UNDERLYING, None))
        }
        Failure::BadArgument(BadArgument { operation, kind, errno, remedy, .. }) => {
            let errno = errno.map(|errno| errno as i32);
            raise(env, (*kind, errno, operation), (&text, remedy, None))
        }
        Failure::Os(operation, number) => {
            let kind = ErrorKind::Os;
            raise(env, (kind, Some(*number), operation), (&text, kind.remedy(), None))
        }
        Failure::HandleClosed => {
            env.throw_new_void(jni_str!("java/nio/channels/ClosedChannelException"))
        }
        Failure::Corrupt | Failure::Java(_) => bug(env, &text),
    }
}

const PASS_UNDERLYING: &str = "Pass the underlying socket, or its channel.";

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Core(error) => error.fmt(f),
            Failure::Closed(operation) => {
                write!(f, "{operation}: the socket is closed. {}", ErrorKind::Closed.remedy())
            }
            Failure::NoSocket(what) => write!(f, "{what}. {PASS_UNDERLYING}"),
            Failure::BadArgument(BadArgument { operation, errno, what, remedy, .. }) => {
                write!(f, "{operation}: {what}")?;
                if let Some(errno) = errno {
                    write!(f, " ({})", errno.desc())?;
                }
                write!(f, ". {remedy}")
            }
            Failure::Corrupt => f.write_str("inconsistent words from Java"),
            Failure::HandleClosed => f.write_str("the handle is closed"),
            Failure::Os(operation, number) => {
                let error = std::io::Error::from_raw_os_error(*number);
                write!(f, "{operation}: {error}. {}", ErrorKind::Os.remedy())
            }
            Failure::Java(error) => error.fmt(f),
        }
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

impl std::error::Error for Failure {}
