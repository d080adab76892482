//! Arguments for which Java has a wider type than core: a function for each name.

use jni::sys::jlong;
use subflows::ErrorKind;

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
