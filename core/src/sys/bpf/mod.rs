//! BPF programs: one folder for each, over what serves all of them.

mod btf;
mod call;
pub(crate) mod subflow_option;
