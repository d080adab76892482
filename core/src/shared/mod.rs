//! What more than one verb needs: what is read from the kernel, its records, and small steps.

pub(crate) mod before_6_5;
pub(crate) mod carry;
pub(crate) mod connected;
pub(crate) mod counters;
pub(crate) mod deny_join_id0;
pub(crate) mod details;
pub(crate) mod diag_subflow;
pub(crate) mod info;
pub(crate) mod interface;
pub(crate) mod listener;
pub(crate) mod network;
pub(crate) mod new_socket;
pub(crate) mod no_mptcp;
pub(crate) mod not_controlled;
pub(crate) mod option_step;
pub(crate) mod path_manager;
pub(crate) mod privilege;
pub(crate) mod ready;
pub(crate) mod route;
pub(crate) mod settings;
pub(crate) mod socket_state;
pub(crate) mod subflow;
pub(crate) mod subflow_option;
pub(crate) mod subflow_state;
