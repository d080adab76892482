//! Core's verbs, one file per noun as in core: a function is its arguments converted, core's verb,
//! and its result in words.

pub(crate) mod address;
pub(crate) mod announce;
pub(crate) mod backup;
pub(crate) mod capabilities;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod control;
pub(crate) mod events;
pub(crate) mod info;
pub(crate) mod listen;
pub(crate) mod open;
pub(crate) mod status;
pub(crate) mod subflow;
pub(crate) mod upgrade;
