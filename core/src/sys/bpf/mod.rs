//! BPF programs: one folder for each, over what serves all of them. README.md says how to add one.

mod btf;
mod call;
mod failure;
mod object;
mod signals;
pub(crate) mod subflow_option;
mod walk;

pub(crate) use failure::Failure;
