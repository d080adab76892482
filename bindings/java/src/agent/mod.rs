//! The agent for whole applications: Multipath TCP for every socket that the JDK makes, and further
//! subflows for the connections that these sockets make.

pub(crate) mod extra_paths;
pub(crate) mod netty;
pub(crate) mod socket0;

mod jvmti;
mod new_stream;
