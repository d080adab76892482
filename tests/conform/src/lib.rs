//! Plays scenarios in plain English against a driver in each language.
//!
//! ```no_run
//! use subflows_conform::language::Language;
//!
//! let languages = [Language::build("rust")?];
//! let played = subflows_conform::play("steering", &languages, &mut |line| println!("{line}"));
//! assert_eq!(played.failed, 0);
//! # Ok::<(), String>(())
//! ```
//!
//! A scenario ([`scenario`]) is a file of sentences, and [`steps`] is the table of all sentences.
//! Each scenario is played once per combination of its variables, in a network of its own, with a
//! process per actor ([`driver`]) that carries out requests ([`protocol`]) in its language
//! ([`language`]). `ss`, `nstat` and the paths themselves ([`judge`]) decide whether a step
//! succeeded; the answers of the library are compared with them.

pub mod arguments;
mod borrow;
pub mod broker;
pub mod driver;
pub mod ends;
pub mod family;
pub mod judge;
pub mod language;
pub mod names;
mod play;
pub mod protocol;
pub mod python_package;
mod report;
pub mod scenario;
pub mod step_error;
pub mod steps;
pub mod world;

pub use play::play;
pub use report::Played;
