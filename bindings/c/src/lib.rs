//! libsubflows: the operations of core for C.
//!
//! The first group of modules below is one file per noun, as in core: a C function converts its
//! arguments, calls core's function, and fills in the result. `converted.rs` is generated: the
//! functions that only do this. `reporting.rs` is generated, too: the second form of each function
//! that can fail, which copies the failure to its caller. The others are written by hand, and each
//! of their files is a manual page. The header lists all functions in the order of `abi.txt`, and a
//! new one comes last. The header's comment on an operation is core's documentation, followed by
//! the comment of the entry here, which describes only what is special in C.
//!
//! The second group is the border, which all entries share: it checks what a caller passes.
//! `mirror.rs` is generated: core's records and options as C structs. The headers in
//! `include/` are generated from it and from the first group.
//!
//! Every entry runs under [`guard::guard`]: no panic reaches C, and no thread is cancelled in the
//! middle of one. Entries that only look up a text can do neither, and return it directly.
//!
//! The caller promises what the header states about the arguments: a pointer is NULL or points to
//! as many bytes as the call states, a text ends with a zero, and a handle is open and not used by
//! another thread at the time.
#![allow(unreachable_pub, non_camel_case_types)]

mod announce;
mod capabilities;
mod connection;
mod converted;
mod counters;
mod doctor;
mod enhanced;
mod error;
mod events;
mod open;
mod option;
mod probe;
mod reporting;
mod settings;
mod socket;
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
mod report;
mod resolve;
mod structs;
