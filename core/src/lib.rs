//! Lists, opens and closes the subflows of Multipath TCP connections, on stock Linux kernels.
//!
//! ```no_run
//! use subflows::{Connect, Open};
//!
//! # fn main() -> subflows::Result<()> {
//! let stream = subflows::connect("server.example:443", &Connect::new().control(true))?;
//! for path in subflows::list(&stream)? {
//!     println!("{} {} -> {}: {} us", path.id, path.local, path.remote, path.rtt_us);
//! }
//! let extra = subflows::open(&stream, &Open::new().interface("wwan0").backup(true))?;
//! subflows::close(&stream, extra.id)?;
//! # Ok(())
//! # }
//! ```
//!
//! A *socket* is any value with a descriptor. The library borrows it for the call and never closes
//! it. The library reads the state of a connection from the kernel at each call. It remembers only what the
//! kernel does not report again: the address ids that it announced, and what peers reported about their
//! addresses. An announced
//! address ([`Announced`]), a stream of events ([`Events`]) and a pending open ([`Opening`]) are values
//! that the caller owns.
//!
//! Reading requires no privilege. Changing subflows requires `CAP_NET_ADMIN` over the network
//! namespace, and in most cases a connection that the application controls: see [`take_control`].
//! [`capabilities`] reports what this kernel and this process can do.
//!
//! The crate has two public layers: the safe functions here, which take a socket, and the kernel's
//! commands in [`kernel`], which take a token.

mod cause;
mod door;
mod error;
mod kernel_name;
mod shared;
mod surface;
mod sys;
mod verb;
mod wait;

#[doc(hidden)]
pub mod address_text;
#[doc(hidden)]
pub mod bare;
pub mod kernel;
pub mod table;
/// The broker's protocol and its acts, for the service of the command `subflows broker`. Not a stable interface.
#[doc(hidden)]
pub mod broker {
    pub use crate::door::broker::perform::*;
    pub use crate::door::broker::protocol::*;
    pub use crate::door::broker::taker::*;
}
#[cfg(feature = "tokio")]
pub mod tokio;

pub use error::{Error, ErrorKind, Result};
pub use kernel_name::KernelName;
pub use shared::counters::Counter;
pub use shared::details::Details;
pub use shared::info::Info;
pub use shared::new_socket::Family;
pub use shared::path_manager::PathManager;
pub use shared::subflow::Subflow;
pub use shared::subflow_option::{OptionValue, SubflowOption};
pub use shared::subflow_state::SubflowState;
pub use surface::{ENUMERATIONS, OPERATIONS, OPTIONS, RECORDS};
pub use verb::addresses::{Address, addresses};
pub use verb::announce::{Announce, Announced, announce};
pub use verb::capabilities::{Capability, capabilities};
pub use verb::close::{close, force_close};
pub use verb::connect::connect;
pub use verb::connections::{Connection, ConnectionsOptions, ProcessInfo, connection, connections};
#[doc(hidden)]
pub use verb::connections::{SubflowList, connections_with};
pub use verb::counters::counters;
pub use verb::details::details;
pub use verb::doctor::{Doctor, Examining, Finding, FindingKind, Severity, diagnose, doctor};
pub use verb::endpoints::{
    AddEndpoint, Endpoint, add_endpoint, endpoints, flush_endpoints, remove_endpoint,
    set_endpoint_backup, set_endpoint_fullmesh,
};
pub use verb::events::events;
pub use verb::info::info;
pub use verb::limits::{Limits, limits, set_limits};
pub use verb::list::list;
pub use verb::listen::{Listen, listen, listen_any};
pub use verb::open::open;
pub use verb::peer_addresses::{PeerAddress, peer_addresses};
pub use verb::probe::probe;
pub use verb::set_backup::set_backup;
pub use verb::settings::{Settings, set_setting, settings};
pub use verb::socket::socket;
pub use verb::status::{State, Status, status};
pub use verb::subflow_option::{
    OptionValues, get_option, get_raw_option, options, set_option, set_raw_option,
};
pub use verb::take_control::take_control;
pub use verb::upgrade::upgrade;
pub use wait::connecting::{Connect, Connecting};
pub use wait::events::{Event, EventKind, Events};
pub use wait::opening::{Open, Opening};
pub use wait::probing::{Probe, ProbeReport, Probing, Verdict};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
