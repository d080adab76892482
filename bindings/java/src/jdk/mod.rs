//! What this library knows about the inside of the JDK: in which private members its sockets keep
//! their descriptors, how its channels are made, and which of its native functions are replaced.
//!
//! All of it is looked up when it is first needed, and a JDK that differs is refused by an error.

pub(crate) mod available;
pub(crate) mod descriptor;
pub(crate) mod net;
pub(crate) mod new_channel;
pub(crate) mod new_socket;

mod channel;
mod fields;
mod implementation;
mod members;
mod socket;
mod tls;
