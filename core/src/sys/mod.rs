//! The lowest layer: system calls, kernel layouts, netlink. All `unsafe` code of core is here, and
//! so are all layouts and command numbers of the kernel.

pub(crate) mod address;
pub(crate) mod before_6_5;
pub(crate) mod bpf;
pub(crate) mod cache;
mod cancel;
pub(crate) mod conntrack;
pub(crate) mod endpoint;
pub(crate) mod event;
pub(crate) mod fcntl;
pub(crate) mod file;
pub(crate) mod fork;
mod genl;
pub(crate) mod interface;
pub(crate) mod interface_addresses;
pub(crate) mod mptcp;
pub(crate) mod namespace;
pub(crate) mod netlink;
pub(crate) mod path_manager;
pub(crate) mod plain;
pub(crate) mod poll;
mod pool;
pub(crate) mod processor_load;
pub(crate) mod random;
#[cfg(feature = "tokio")]
pub(crate) mod reactor;
pub(crate) mod reverse_path;
pub(crate) mod rights;
pub(crate) mod route;
pub(crate) mod shared_set;
pub(crate) mod sock_diag;
pub(crate) mod socket;
pub(crate) mod take_over;
mod token_filter;
pub(crate) mod uapi;
pub(crate) mod unix;
pub(crate) mod unread;
mod valgrind;
pub(crate) mod without;
