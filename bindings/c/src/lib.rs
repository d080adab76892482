//! libsubflows: core's verbs for C.
//!
//! The first group of modules below is one file per noun, as in core: a C function is its arguments
//! converted, core's verb, and its result filled in. A file that exports functions is a section of
//! the header and a manual page; their order is that of the symbols in `abi.txt`, and a new file
//! comes last.
//!
//! The second group is the border, which all of them share: what a caller passes is checked there.
//! `mirror.rs` is generated: core's records and options as C structs. `include/subflows.h` is
//! generated out of it and of the first group.
//!
//! Every entry runs under [`guard::guard`]: no panic reaches C, and no thread is cancelled in the
//! middle of one. Entries that only look up a text can do neither, and return it as it is.
#![allow(unreachable_pub, non_camel_case_types)]

mod address;
mod announce;
mod backup;
mod capabilities;
mod connection;
mod control;
mod error;
mod events;
mod info;
mod open;
mod socket;
mod status;
mod subflow;
mod version;

mod cancel;
mod convert;
mod deadline;
mod descriptor;
mod enum_name;
mod failure;
mod guard;
mod handle;
mod last_error;
mod mirror;
mod port_name;
mod resolve;
mod structs;
