//! The verbs, one file each.
//!
//! A verb is a struct of its arguments, whose documentation is its help, and a function `run`,
//! which prints the result. To add one: a file here, and a line in the list below.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::token::Token;

/// Declares the verbs: the file and its struct.
macro_rules! verbs {
    ($($(#[$attribute:meta])* $file:ident::$Verb:ident,)*) => {
        $(mod $file;)*

        /// The verbs. Their help is the documentation of their arguments.
        #[derive(Debug, Subcommand)]
        #[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
        pub(crate) enum Verb {
            $($(#[$attribute])* $Verb($file::$Verb),)*
        }

        impl Verb {
            /// Runs the verb, and returns the exit status.
            pub(crate) fn run(&self, out: &mut Output) -> Result<u8, Failure> {
                match self {
                    $(Verb::$Verb(verb) => verb.run(out).map(Success::status),)*
                }
            }
        }
    };
}

verbs! {
    capabilities::Capabilities,
    connections::Connections,
    list::List,
    open::Open,
    close::Close,
    set_backup::SetBackup,
    #[command(name = "option")]
    option::SetOption,
    connect::Connect,
    run::Run,
    endpoints::Endpoints,
    limits::Limits,
    settings::Settings,
    counters::Counters,
    doctor::Doctor,
    probe::Probe,
    broker::Broker,
    lab::Lab,
    demo::Demo,
}

/// What a verb returns if it succeeds: nothing, or an exit status of its own.
trait Success {
    fn status(self) -> u8;
}

impl Success for () {
    fn status(self) -> u8 {
        Exit::Done.into()
    }
}

impl Success for u8 {
    fn status(self) -> u8 {
        self
    }
}

impl Verb {
    /// The exit status if the verb fails.
    pub(crate) fn exit_of(&self, failure: &Failure) -> u8 {
        match self {
            Verb::Lab(_) => lab::exit_of(failure),
            _ => failure.exit().into(),
        }
    }
}

/// The arguments that name a connection.
#[derive(Args, Debug)]
struct OfConnection {
    /// The connection
    token: Token,
}

/// The arguments that name a subflow.
#[derive(Args, Debug)]
struct OfSubflow {
    /// The connection
    token: Token,
    /// The subflow, by its number in `subflows list`
    #[arg(value_parser = id)]
    id: u32,
}

/// Clap's own switch for `yes` and `no`, whose error names what is accepted.
fn yes_or_no() -> impl TypedValueParser<Value = bool> {
    const NO: [&str; 5] = ["n", "false", "f", "off", "0"];
    let yes = PossibleValue::new("yes").aliases(["y", "true", "t", "on", "1"]);
    let parser = PossibleValuesParser::new([yes, PossibleValue::new("no").aliases(NO)]);
    parser.map(|text| {
        let text = text.to_lowercase();
        text != "no" && !NO.contains(&text.as_str())
    })
}

fn id(text: &str) -> Result<u32, &'static str> {
    text.parse().map_err(|_| "a subflow is named by its number, as `subflows list TOKEN` prints it")
}
