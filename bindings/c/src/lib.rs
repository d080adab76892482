//! libsubflows: core's verbs for C.
//!
//! `mirror.rs` is generated: core's records and options as C structs. The rest is written by hand,
//! one file per noun as in core: a C function is its arguments converted, core's verb, and its
//! result filled in. `include/subflows.h` is generated out of both.
//!
//! Every entry runs under [`guard::guard`]: no panic reaches C, and no thread is cancelled in the
//! middle of one. Those that only look up a text, and so can do neither, return it as it is.
#![allow(unreachable_pub, non_camel_case_types)]

mod address;
mod announce;
mod backup;
mod cancel;
mod capabilities;
mod connection;
mod control;
mod convert;
mod deadline;
mod descriptor;
mod enum_name;
mod error;
mod events;
mod failure;
mod guard;
mod handle;
mod info;
mod last_error;
mod mirror;
mod open;
mod port_name;
mod resolve;
mod socket;
mod status;
mod structs;
mod subflow;
mod version;
