//! What verbs and waits do through a door, whichever it is: checks, and what is read or remembered together with an act.

pub(crate) mod address_ids;
pub(crate) mod control;
pub(crate) mod events;
pub(crate) mod path_manager;
pub(crate) mod peers;
