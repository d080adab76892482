//! The internals of the JDK that this library uses: the private members in which its sockets keep
//! their descriptors, the constructors of its channels, and the native functions that are replaced.
//!
//! All of it is looked up when it is first needed. On a JDK that differs, the look-up fails with an
//! error.

pub(crate) mod available;
pub(crate) mod descriptor;
pub(crate) mod net;
pub(crate) mod new_channel;
pub(crate) mod new_socket;
pub(crate) mod options;

mod channel;
mod fields;
mod implementation;
mod members;
mod socket;
mod tls;
