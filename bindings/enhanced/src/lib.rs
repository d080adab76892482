//! The enhanced socket API (draft-hesmans-mptcp-socket), as the patched kernels of 2016 shipped it, by the
//! operations of the crate `subflows`.
//!
//! A program of that time calls getsockopt(2) at level `IPPROTO_TCP` with the options 66 to 71 and setsockopt(2)
//! with 72. This crate answers these requests; [`layout`] has their structures. The C library exports it as
//! `subflows_enhanced_getsockopt()` and `subflows_enhanced_setsockopt()`.
//!
//! # What is as it was
//! - Ids are 1 to 31, the initial subflow's is 1, and an id is used again only after all others ([`mod@ids`]).
//! - The list begins with the newest subflow.
//! - Opening returns at once. A subflow that is asked for before the connection can have one is opened when it
//!   can ([`pending`]).
//! - `EOPNOTSUPP` for a socket that is not, or no longer, Multipath TCP; `EINVAL` only for a short buffer and an
//!   unknown id, because a library of that time repeats its call for as long as it gets `EINVAL`.
//!
//! # What differs
//! - Opening writes the id into the request, as the drafts specify. The published kernel did not.
//! - Opening requires control of the connection and `CAP_NET_ADMIN` or a broker, as [`subflows::open`] does. It
//!   fails with `EPERM` without them.
//! - The bits of a subflow's status that the published kernel did not fill in are right: which subflow is not the
//!   initial one, and which one is a backup. The latter requires what [`subflows::details`] requires.

mod connection;
mod errno;
mod held;
pub mod ids;
pub mod layout;
mod legacy;
pub mod pending;
mod registry;
mod requests;
mod worker;

pub use connection::require_mptcp;
pub use errno::Errno;
pub use legacy::{Info, get as get_legacy, info, set as set_legacy};
pub use requests::{close, get_option, ids, open, set_option, tuple};
