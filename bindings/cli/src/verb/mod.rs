//! The verbs, one file each.
//!
//! A verb is a struct of its arguments, whose documentation is its help, and a function `run`,
//! which prints the result. To add one: a file here, and a line in the list below.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::borrow_socket::{Borrowed, borrow};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::token::{Token, WrittenToken};

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
    connection::Connection,
    status::Status,
    info::Info,
    list::List,
    details::Details,
    open::Open,
    close::Close,
    set_backup::SetBackup,
    #[command(name = "option")]
    option::SetOption,
    raw_option::RawOption,
    addresses::Addresses,
    announce::Announce,
    events::Events,
    connect::Connect,
    run::Run,
    endpoints::Endpoints,
    limits::Limits,
    settings::Settings,
    counters::Counters,
    doctor::Doctor,
    probe::Probe,
    watch::Watch,
    serve_check::ServeCheck,
    schema::Schema,
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
    #[arg(value_name = "TOKEN")]
    token: WrittenToken,
}

impl OfConnection {
    /// The token that was meant.
    fn token(&self) -> Result<Token, Failure> {
        self.token.resolve()
    }

    /// The token, and the socket of the process that holds the connection.
    fn borrow(&self) -> Result<(Token, Borrowed), Failure> {
        let token = self.token()?;
        Ok((token, borrow(token)?))
    }
}

/// The arguments that name a subflow.
#[derive(Args, Debug)]
struct OfSubflow {
    #[command(flatten)]
    connection: OfConnection,
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

/// An address of this host, without its scope.
fn local_ip(text: &str) -> Result<std::net::IpAddr, &'static str> {
    let parsed = subflows::address_text::ip(text).map(|(ip, _)| ip);
    parsed.ok_or("expected an IP address: 192.0.2.1, 2001:db8::1")
}
