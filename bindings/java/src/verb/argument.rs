//! Arguments for which Java has a wider type than core: a function for each name.

use jni::Env;
use jni::objects::JString;
use jni::sys::{jint, jlong};
use subflows::{ErrorKind, OptionValue, SubflowOption};

use crate::error::Failure;

/// The id of a subflow.
pub(super) fn id(id: jlong, operation: &'static str) -> Result<u32, Failure> {
    u32::try_from(id).map_err(|_| {
        let text = format!("this connection has no live subflow with id {id}");
        Failure::BadArgument(operation, ErrorKind::NoSuchSubflow, None, text)
    })
}

/// The token of a connection.
pub(super) fn token(token: jlong, operation: &'static str) -> Result<u32, Failure> {
    // A program that keeps it as an `int` may have made it negative.
    u32::try_from(token).map_err(|_| {
        let text = format!("a token is a number from 0 to {}, not {token}", u32::MAX);
        Failure::BadArgument(operation, ErrorKind::InvalidArgument, None, text)
    })
}

/// An option of a subflow, by its number.
pub(super) fn option(option: jint, operation: &'static str) -> Result<SubflowOption, Failure> {
    SubflowOption::from_number(option).ok_or_else(|| {
        let text = format!(
            "{option} is not the number of an option: pass a constant of SubflowOption, or the level and the number \
             of the option to setRawOption or getRawOption"
        );
        Failure::BadArgument(operation, ErrorKind::InvalidArgument, None, text)
    })
}

/// The value of an option, which crosses the border as text.
pub(super) fn value(env: &Env<'_>, value: &JString<'_>) -> Result<OptionValue, Failure> {
    Ok(OptionValue::parse(&value.try_to_string(env)?))
}

/// The level of a raw option.
pub(super) fn level(level: jlong, operation: &'static str) -> Result<u32, Failure> {
    word(level, operation)
}

/// The number of a raw option.
pub(super) fn number(number: jlong, operation: &'static str) -> Result<u32, Failure> {
    word(number, operation)
}

/// The length of a raw option.
pub(super) fn length(length: jlong, operation: &'static str) -> Result<u32, Failure> {
    word(length, operation)
}

fn word(number: jlong, operation: &'static str) -> Result<u32, Failure> {
    u32::try_from(number).map_err(|_| {
        let text = format!("{number} is not a number from 0 to {}", u32::MAX);
        Failure::BadArgument(operation, ErrorKind::InvalidArgument, None, text)
    })
}
