//! Core's verbs: arguments converted, the verb of core, and its result in words.
//!
//! `converted.rs` has the verbs that do nothing else, and is generated. The verbs that return a
//! socket or a handle, wait or replace a descriptor have a file each.

pub(crate) mod announce;
pub(crate) mod connect;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod listen;
pub(crate) mod open;
pub(crate) mod probe;
pub(crate) mod take_control;
pub(crate) mod upgrade;

mod argument;
mod converted;
