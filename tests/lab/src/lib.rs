//! Networks of namespaces and wires, made and forgotten inside one process, for tests and
//! demonstrations.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! use subflows_lab::{Net, traffic};
//! let net = Net::two_subnets()?;
//! net.join_by_kernel()?;
//! let server = traffic::serve_source(&net.server, (net.paths[0].server_v4, 0).into(), 1_000_000)?;
//! let stream = net.client.run(|| traffic::connect(server.local_addr()))?;
//! traffic::fetch(&stream, 1_000_000)?;
//! assert!(net.paths[1].bytes()?.total() > 0, "the second cable has carried nothing");
//! # Ok(())
//! # }
//! ```
//!
//! It requires `ip` (iproute2), `nft` to pull a veth cable, and the privilege to make network
//! namespaces: root, or any user with `unshare -Urn` or [`become_root_in_user_namespace`].

mod kernel;
mod middlebox;
mod namespace;
pub mod oracle;
mod pattern;
mod privilege;
mod program;
mod segment;
mod sys;
mod testing;
mod tools;
mod topology;
pub mod traffic;
mod wire;

pub use kernel::{
    PathManagerSetting, has_sysctl, ignores_interfaces, is_before, path_manager_setting,
};
pub use middlebox::{
    BoxSpec, BoxSpecError, ChangePayload, DropSegments, EchoOptions, JoinSegments, Middlebox, Nat,
    OnPort, RewriteIsn, SplitSegments, StripMptcp, Verdict, box_names,
};
pub use namespace::{Entered, Namespace};
pub use pattern::{CHUNK, Random, pattern};
pub use privilege::{become_root_in_user_namespace, can_make_namespaces};
pub use program::Program;
pub use segment::{MptcpOption, Segment, Subtype, strip_mptcp};
pub use testing::{Pauses, ready, skip, wait_until};
pub use topology::{Bytes, Net, Path, Topology};
pub use wire::{Direction, PathSpec, PathSpecError, Wire, WireCounters, WireOptions};
