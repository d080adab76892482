//! libsubflows: the operations of core for C.
//!
//! The first group of modules below is one file per noun, as in core: a C function converts its
//! arguments, calls core's function, and fills in the result. A file that exports functions is a
//! section of the header and a manual page; their order is that of the symbols in `abi.txt`, and a
//! new file comes last. The header's comment on an operation is core's documentation, followed by
//! the comment of the entry here, which describes only what is special in C.
//!
//! The second group is the border, which all entries share: it checks what a caller passes.
//! `mirror.rs` is generated: core's records and options as C structs. `include/subflows.h` is
//! generated from it and from the first group.
//!
//! Every entry runs under [`guard::guard`]: no panic reaches C, and no thread is cancelled in the
//! middle of one. Entries that only look up a text can do neither, and return it directly.
//!
//! The caller promises what the header states about the arguments: a pointer is NULL or points to
//! as many bytes as the call states, a text ends with a zero, and a handle is open and not used by
//! another thread at the time.
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
mod option;
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
mod prelude;
mod resolve;
mod structs;
