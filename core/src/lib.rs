//! See and steer the subflows of Multipath TCP connections, on stock Linux kernels.
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
//! A *socket* is anything with a descriptor: it is borrowed for the call and never closed. The
//! verbs keep no state: everything can be asked again from the kernel. What lives longer (an
//! announced address, a stream of events, a pending open) is a value with an owner.
//!
//! Reading needs no privilege. Acting needs `CAP_NET_ADMIN` over the network namespace, and for
//! most verbs a connection that the application controls; see [`take_control`]. What this kernel
//! and this process can do is told by [`capabilities`].
//!
//! Two layers are public: the safe verbs here, and the kernel's own by token in [`kernel`].

mod door;
mod error;
mod kernel_name;
mod shared;
mod surface;
mod sys;
mod verb;
mod wait;

pub mod kernel;
pub mod table;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use error::{Error, ErrorKind, Result};
pub use kernel_name::KernelName;
pub use shared::details::Details;
pub use shared::info::Info;
pub use shared::listener::Listen;
pub use shared::new_socket::Family;
pub use shared::path_manager::PathManager;
pub use shared::subflow::Subflow;
pub use shared::subflow_state::SubflowState;
pub use surface::{ENUMERATIONS, OPERATIONS, OPTIONS, RECORDS};
pub use verb::addresses::{Address, addresses};
pub use verb::announce::{Announce, Announced, announce};
pub use verb::capabilities::{Capability, capabilities};
pub use verb::close::{close, force_close};
pub use verb::connect::connect;
pub use verb::connections::{Connection, ConnectionsOptions, connection, connections};
pub use verb::details::details;
pub use verb::events::events;
pub use verb::info::info;
pub use verb::list::list;
pub use verb::listen::{listen, listen_any};
pub use verb::open::open;
pub use verb::set_backup::set_backup;
pub use verb::socket::socket;
pub use verb::status::{State, Status, status};
pub use verb::take_control::take_control;
pub use verb::upgrade::upgrade;
pub use wait::connecting::{Connect, Connecting};
pub use wait::events::{Event, EventKind, Events};
pub use wait::opening::{Open, Opening};

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
