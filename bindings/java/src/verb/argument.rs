//! Arguments for which Java has a wider type than core: a function for each name.

use jni::Env;
use jni::objects::JString;
use jni::sys::{jint, jlong};
use subflows::{ErrorKind, OptionValue, SubflowOption};

use crate::error::{BadArgument, Failure};

fn invalid(operation: &'static str, what: String, remedy: impl Into<String>) -> Failure {
    let (kind, remedy) = (ErrorKind::InvalidArgument, remedy.into());
    BadArgument { operation, kind, errno: None, what, remedy }.into()
}

/// The id of a subflow.
pub(super) fn id(id: jlong, operation: &'static str) -> Result<u32, Failure> {
    u32::try_from(id).map_err(|_| {
        let what = format!("this connection has no live subflow with id {id}");
        let kind = ErrorKind::NoSuchSubflow;
        BadArgument { operation, kind, errno: None, what, remedy: kind.remedy().into() }.into()
    })
}

/// The token of a connection.
pub(super) fn token(token: jlong, operation: &'static str) -> Result<u32, Failure> {
    u32::try_from(token).map_err(|_| {
        // A program that keeps it as an `int` may have made it negative.
        let text = format!("a token is a number from 0 to {}, not {token}", u32::MAX);
        invalid(
            operation,
            text,
            "Pass Status.token() or Connection.token(), and keep it as a long.",
        )
    })
}

/// An option of a subflow, by its number.
pub(super) fn option(option: jint, operation: &'static str) -> Result<SubflowOption, Failure> {
    SubflowOption::from_number(option).ok_or_else(|| {
        let text = format!("{option} is not the number of an option");
        let remedy = "Pass a constant of SubflowOption, or the level and the number of the option to \
                      setRawOption or getRawOption.";
        invalid(operation, text, remedy)
    })
}

/// The value of an option, which crosses the border as text.
pub(super) fn value(env: &Env<'_>, value: &JString<'_>) -> Result<OptionValue, Failure> {
    Ok(OptionValue::parse(&value.try_to_string(env)?))
}

/// The id of an endpoint.
pub(super) fn endpoint_id(id: jint, operation: &'static str) -> Result<u8, Failure> {
    u8::try_from(id).map_err(|_| {
        let what = format!("no endpoint has the id {id}");
        let kind = ErrorKind::NoSuchEndpoint;
        BadArgument { operation, kind, errno: None, what, remedy: kind.remedy().into() }.into()
    })
}

/// The limit of additional subflows.
pub(super) fn subflows(number: jlong, operation: &'static str) -> Result<u32, Failure> {
    word(number, "subflows", operation)
}

/// The limit of addresses of the peer.
pub(super) fn add_addr_accepted(number: jlong, operation: &'static str) -> Result<u32, Failure> {
    word(number, "addAddrAccepted", operation)
}

/// A text, such as the name of a setting.
pub(super) fn text(env: &Env<'_>, text: &JString<'_>) -> Result<String, Failure> {
    Ok(text.try_to_string(env)?)
}

/// The level of a raw option.
pub(super) fn level(level: jlong, operation: &'static str) -> Result<u32, Failure> {
    word(level, "level", operation)
}

/// The number of a raw option.
pub(super) fn number(number: jlong, operation: &'static str) -> Result<u32, Failure> {
    word(number, "number", operation)
}

/// The length of a raw option.
pub(super) fn length(length: jlong, operation: &'static str) -> Result<u32, Failure> {
    word(length, "length", operation)
}

fn word(number: jlong, name: &str, operation: &'static str) -> Result<u32, Failure> {
    u32::try_from(number).map_err(|_| {
        let text = format!("{name} is {number}");
        invalid(operation, text, format!("Pass a number from 0 to {}.", u32::MAX))
    })
}
