//! Plays plain-word scenarios against a driver in each language.
//!
//! ```no_run
//! let played = subflows_conform::play("steering", Some("rust"), &mut |line| println!("{line}"));
//! assert_eq!(played.failed, 0);
//! ```
//!
//! A scenario ([`scenario`]) is a file of sentences; [`steps`] is the table of those that there are.
//! Each is played once per combination of its variables, in a network of its own, with a process
//! per actor that does in its language ([`language`]) what one line asks ([`protocol`]). What came
//! of it is judged by `ss`, `nstat` and the wires ([`judge`]): the library's own answers are only
//! held against them.

mod borrow;
pub mod driver;
pub mod judge;
pub mod language;
pub mod place;
pub mod protocol;
pub mod python;
mod report;
pub mod scenario;
pub mod sentence;
pub mod stage;
pub mod steps;
pub mod trouble;

pub use report::{Played, play};
