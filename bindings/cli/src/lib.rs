//! The command `subflows`: the shell's binding of the crate `subflows`.
//!
//! ```sh
//! subflows connections
//! subflows list 4f2a9c01
//! subflows open 4f2a9c01 --interface wwan0 --backup
//! subflows close 4f2a9c01 1
//! ```
//!
//! A connection is named by its token, as `ss -Mi` prints it. The verbs work on sockets, so the
//! command borrows the socket from the process that holds it (module [`borrow_socket`]) and calls
//! the same functions as a program. The results are core's records: [`json`] converts any record to
//! JSON, so that a new field needs no line here. `lab` and `demo` make a network of their own with
//! the crate `subflows-lab`.
//!
//! Each verb is a file in `src/verb/`, and one line in the list of `src/verb/mod.rs`.

#![forbid(unsafe_code)]

mod agent;
mod agent_process;
pub mod borrow_socket;
mod check;
mod child_process;
mod command;
mod demo;
mod destinations;
mod extra_paths;
mod failure;
mod holders;
mod java_agent;
pub mod json;
mod output;
mod probe;
mod reach;
mod relay;
mod row;
pub mod schema;
mod shown;
pub mod signals;
mod stop;
mod table;
mod token;
mod units;
mod user_namespace;
mod verb;
mod watch;

pub use command::{command, run, run_with};
pub use failure::{Exit, Failure};
pub use token::Token;
