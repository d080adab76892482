//! The command line, and the exit status.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::failure::Exit;
use crate::output::{Output, note, print_error};
use crate::verb::Verb;

const ABOUT: &str = "See and steer the subflows of Multipath TCP connections";

const EXAMPLES_AND_CODES: &str = "\
Examples:
  subflows connections                              every connection and its subflows
  subflows list 4f2a9c01                            the subflows of one connection
  subflows open 4f2a9c01 --interface wwan0 --backup
  subflows set-backup 4f2a9c01 2 no
  subflows option 4f2a9c01 2 max_pacing_rate 125000
  subflows close 4f2a9c01 1
  subflows events --json                            what happens, an object a line
  subflows watch                                    a live view of connections and their rates
  subflows doctor 4f2a9c01                          why it has no second subflow
  subflows probe example.org:443                    whether a server uses Multipath TCP
  subflows endpoints add 192.0.2.7 --subflow        for connections that the kernel manages
  subflows demo                                     a demonstration on a network of its own

TOKEN is the local token of a connection, in hexadecimal as `subflows connections` and `ss -Mi`
print it, with or without 0x, or in decimal as programs print the number. Digits alone may be either:
they name the connection that exists, and are rejected if both do. ID is the number in the first
column of `subflows list`.

With --json, each line of the output is an object: a record of the library with the names of its
fields, as `subflows schema` describes them. A list without entries prints nothing, and neither does
a verb without a result. A failure is an object on standard error. Text has colours on a terminal
only, and none if NO_COLOR is set.

Privileges: `capabilities`, `connections`, `connection`, `watch`, `counters`, `doctor` without a
TOKEN, `probe` without --trace, `serve-check`, and `endpoints`,
`limits` and `settings` as long as they only show something, require none; changing these three
requires CAP_NET_ADMIN. The other verbs that take a TOKEN borrow the socket from the process that
holds it. Most systems allow that for your own processes, and require root for others. `open`,
`close`, `set-backup`, `announce` and `events` also require CAP_NET_ADMIN, and `option` and
`raw-option` CAP_BPF and CAP_PERFMON, which root has.

Exit status:
  0  success
  1  failure
  2  usage error
  3  not permitted
  4  the connection, the subflow or the endpoint does not exist
  `lab` returns the exit status of its COMMAND; see `subflows lab --help`.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "subflows", version, about = ABOUT, after_help = EXAMPLES_AND_CODES)]
#[command(max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Print JSON instead of text, an object on each line
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

/// Runs the command line and returns the exit status. Call it first in `main`: `lab` and `demo` may
/// have to enter a user namespace, which a process with several threads cannot do.
pub fn run() -> ExitCode {
    run_with(std::env::args_os()).into()
}

/// As [`run`], with these words as the command line, the command's name first. Help and usage
/// errors are printed, and have an exit status as well.
pub fn run_with<W>(words: impl IntoIterator<Item = W>) -> u8
where
    W: Into<OsString> + Clone,
{
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // If it cannot be printed, the exit status is still right.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.into());
        }
    };
    match cli.verb.run(&mut Output::new(cli.json)) {
        Ok(code) => code,
        Err(failure) if failure.is_quiet() => Exit::Done.into(),
        Err(failure) => {
            if cli.json {
                print_error(&failure.json());
            } else {
                note(&failure);
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

    /// The verb that takes the options of each table of the library, and those that it does not take.
    const FLAGS: [(&str, &[&str], &[&str]); 8] = [
        // `--via` and `--backup` name the paths, and control is taken if there are any. A program that runs
        // the command, such as ssh, ends it when its own timeout expires.
        ("Connect", &["connect"], &["local", "interface", "timeout", "control"]),
        // No verb listens for another program: `run` makes programs listen themselves.
        ("Listen", &[], &["interface", "backlog", "only_v6"]),
        ("Open", &["open"], &[]),
        ("Announce", &["announce"], &[]),
        // They are always listed.
        ("ConnectionsOptions", &["connections"], &["subflows"]),
        ("AddEndpoint", &["endpoints", "add"], &[]),
        // It is the argument.
        ("Doctor", &["doctor"], &["remote"]),
        ("Probe", &["probe"], &[]),
    ];

    #[test]
    fn an_option_of_the_library_is_a_flag_of_the_same_name() {
        for table in subflows::OPTIONS {
            let (_, verb, others) = FLAGS.iter().find(|(name, ..)| *name == table.name).unwrap();
            let mut command = &Cli::command();
            for word in *verb {
                command = command.find_subcommand(word).unwrap();
            }
            let flags: Vec<_> = command.get_arguments().filter_map(clap::Arg::get_long).collect();
            for field in table.fields {
                let is_flag = flags.contains(&&*field.name.replace('_', "-"));
                let is_taken = !verb.is_empty() && !others.contains(&field.name);
                assert_eq!(is_flag, is_taken, "{} of {}", field.name, table.name);
            }
        }
    }

    #[test]
    fn help_fits_a_hundred_columns() {
        let mut command = Cli::command();
        command.build();
        let inner = command.get_subcommands().flat_map(clap::Command::get_subcommands);
        for verb in std::iter::once(&command).chain(command.get_subcommands()).chain(inner) {
            let help = verb.clone().term_width(100).render_long_help().to_string();
            let longest = help.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(100), "{}: {longest:?}", verb.get_name());
        }
    }
}
