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
//! command borrows the socket from the process that holds it (module [`holder`]) and calls the
//! same functions that a program would. What comes out is core's own records: [`json`] turns any of
//! them into JSON, so that a new field needs no line here. `lab` and `demo` bring a network of
//! their own, from the crate `subflows-lab`.
//!
//! One file per verb, in `src/verb/`: a new one is a file, and two lines in `src/verb/mod.rs`.

#![forbid(unsafe_code)]

mod children;
mod command;
mod demo;
mod failure;
pub mod holder;
pub mod json;
mod output;
mod paths;
mod rights;
mod table;
mod token;
mod units;
mod verb;

pub use command::{command, run, run_with};
pub use failure::{Exit, Failure};
pub use token::Token;
