//! The verbs: a file for each public operation, with its documentation and its row in the table.
//!
//! The options of a verb are in its file. Those of `connect`, `open` and `probe`, which only call a wait, are in
//! `wait/*/options.rs`. A record is in the file of the verb that returns it, in `shared/` if other verbs use it
//! too, and in `wait/` if only a wait returns it.
//!
//! What else a new verb, option or record needs: `bindings/README.md`.

pub(crate) mod addresses;
pub(crate) mod announce;
pub(crate) mod capabilities;
pub(crate) mod close;
pub(crate) mod connect;
pub(crate) mod connections;
pub(crate) mod counters;
pub(crate) mod details;
pub(crate) mod doctor;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod info;
pub(crate) mod limits;
pub(crate) mod list;
pub(crate) mod listen;
pub(crate) mod open;
pub(crate) mod peer_addresses;
pub(crate) mod probe;
pub(crate) mod set_backup;
pub(crate) mod settings;
pub(crate) mod socket;
pub(crate) mod status;
pub(crate) mod subflow_option;
pub(crate) mod take_control;
pub(crate) mod upgrade;
