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

mod address;
mod announce;
mod backup;
mod capabilities;
mod connect;
mod connection;
mod control;
mod details;
mod door;
mod error;
mod events;
mod info;
mod leg;
mod listen;
mod manager;
mod name;
mod open;
mod port;
mod state;
mod status;
mod subflow;
mod surface;
mod sys;
mod upgrade;
mod waker;

pub mod kernel;
pub mod table;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use address::{Address, addresses};
pub use announce::{Announce, Announced, announce};
pub use backup::set_backup;
pub use capabilities::{Capability, capabilities};
pub use connect::{Connect, Connecting, Family, connect, socket};
pub use connection::{Connection, Connections, connection, connections};
pub use control::take_control;
pub use details::{Details, details};
pub use error::{Error, ErrorKind, Result};
pub use events::{Event, EventKind, Events, events};
pub use info::{Info, info};
pub use listen::{Listen, listen};
pub use manager::PathManager;
pub use name::Name;
pub use open::{Open, Opening, open};
pub use status::{State, Status, status};
pub use subflow::{Subflow, SubflowState, close, force_close, list};
pub use surface::{ENUMERATIONS, OPERATIONS, OPTIONS, RECORDS};
pub use upgrade::upgrade;

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
