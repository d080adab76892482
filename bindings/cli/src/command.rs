//! The command line, and what happens around a verb.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::failure::Exit;
use crate::output::{Output, complain, note};
use crate::verb::Verb;

const ABOUT: &str = "See and steer the subflows of Multipath TCP connections";

const EXAMPLES_AND_CODES: &str = "\
Examples:
  subflows connections                              every connection and its subflows
  subflows list 4f2a9c01                            the subflows of one, as its process sees them
  subflows open 4f2a9c01 --interface wwan0 --backup
  subflows set-backup 4f2a9c01 2 no
  subflows close 4f2a9c01 1
  subflows demo                                     see it work, on a network of its own

TOKEN is the local token of a connection, in hexadecimal as `subflows connections` and `ss -Mi`
print it. ID is the number in the first column of `subflows list`.

Rights: `capabilities` and `connections` need none. The verbs that take a TOKEN borrow the socket
from the process that holds it: for one's own processes that is allowed on most systems, else be
root. To open, close and set-backup need CAP_NET_ADMIN as well; root has it.

Exit status:
  0  done
  1  the verb failed
  2  the command line, or what it asks for, makes no sense
  3  not permitted
  4  there is no such connection or subflow, or no longer
  `lab` ends as its COMMAND does; see `subflows lab --help`.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "subflows", version, about = ABOUT, after_help = EXAMPLES_AND_CODES)]
#[command(max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Print JSON instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// The command line as clap describes it, for manual pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads the command line, does what it says, and tells how it went. Call it first in `main`: the
/// verbs that bring their own network may have to enter a user namespace, which a process with
/// threads cannot.
pub fn run() -> ExitCode {
    run_with(std::env::args_os()).into()
}

/// As [`run`], with these words for a command line, the command's name first. Gives the exit status;
/// help and a command line that makes no sense are printed, and are a status as well.
pub fn run_with<W>(words: impl IntoIterator<Item = W>) -> u8
where
    W: Into<OsString> + Clone,
{
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(told) => {
            // Where nothing can be printed, the status still tells.
            let _ = told.print();
            return u8::try_from(told.exit_code()).unwrap_or(Exit::Usage.into());
        }
    };
    match cli.verb.run(&mut Output::new(cli.json)) {
        Ok(code) => code,
        Err(failure) if failure.is_quiet() => Exit::Done.into(),
        Err(failure) => {
            match cli.json {
                true => complain(&failure.json()),
                false => note(&failure),
            }
            cli.verb.exit_of(&failure)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn open_takes_every_option_of_the_table() {
        let command = Cli::command();
        let open = command.find_subcommand("open").unwrap();
        let names: Vec<_> = open.get_arguments().filter_map(clap::Arg::get_long).collect();
        for field in subflows::Open::FIELDS {
            assert!(names.contains(&&*field.name.replace('_', "-")), "{}", field.name);
        }
    }

    #[test]
    fn help_fits_a_hundred_columns() {
        let mut command = Cli::command();
        command.build();
        for verb in std::iter::once(&command).chain(command.get_subcommands()) {
            let help = verb.clone().term_width(100).render_long_help().to_string();
            let longest = help.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(100), "{}: {longest:?}", verb.get_name());
        }
    }
}
