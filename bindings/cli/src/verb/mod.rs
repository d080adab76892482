//! The verbs, one file each.
//!
//! A verb is a struct of its arguments, whose documentation is its help, and a function `run` that
//! does it and prints. To add one: a file here, a variant below, an arm in [`Verb::run`].

mod capabilities;
mod close;
mod connections;
mod demo;
mod lab;
mod list;
mod open;
mod set_backup;

use clap::Subcommand;

use crate::failure::{Exit, Failure};
use crate::output::Output;

/// What the command can do. Their help is the documentation of their arguments.
#[derive(Debug, Subcommand)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
pub(crate) enum Verb {
    Capabilities(capabilities::Capabilities),
    Connections(connections::Connections),
    List(list::List),
    Open(open::Open),
    Close(close::Close),
    SetBackup(set_backup::SetBackup),
    Lab(lab::Lab),
    Demo(demo::Demo),
}

impl Verb {
    /// Does it.
    pub(crate) fn run(&self, out: &mut Output) -> Result<u8, Failure> {
        let done = |()| Exit::Done.into();
        match self {
            Verb::Capabilities(verb) => verb.run(out).map(done),
            Verb::Connections(verb) => verb.run(out).map(done),
            Verb::List(verb) => verb.run(out).map(done),
            Verb::Open(verb) => verb.run(out).map(done),
            Verb::Close(verb) => verb.run(out).map(done),
            Verb::SetBackup(verb) => verb.run(out).map(done),
            Verb::Lab(verb) => verb.run(out),
            Verb::Demo(verb) => verb.run(out).map(done),
        }
    }

    /// How the command ends when the verb fails like this.
    pub(crate) fn exit_of(&self, failure: &Failure) -> u8 {
        match self {
            Verb::Lab(_) => lab::exit_of(failure),
            _ => failure.exit().into(),
        }
    }
}
