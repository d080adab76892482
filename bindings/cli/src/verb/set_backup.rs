//! `subflows set-backup TOKEN ID yes|no`

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::OfSubflow;
use crate::borrow_socket::borrow;
use crate::failure::Failure;
use crate::output::Output;

/// Mark a subflow as backup, or as regular again
///
/// Asks the peer to do the same (MP_PRIO). A backup carries data only while no other subflow can.
/// Requires CAP_NET_ADMIN and a connection that its application controls.
#[derive(Args, Debug)]
pub(crate) struct SetBackup {
    #[command(flatten)]
    of: OfSubflow,
    /// Whether the subflow is a backup from now on
    #[arg(value_name = "yes|no", action = clap::ArgAction::Set)]
    #[arg(value_parser = yes_or_no(), ignore_case = true, hide_possible_values = true)]
    backup: bool,
}

const NO: [&str; 5] = ["n", "false", "f", "off", "0"];

/// As clap's own switches, but an error names what is accepted.
fn yes_or_no() -> impl TypedValueParser<Value = bool> {
    let yes = PossibleValue::new("yes").aliases(["y", "true", "t", "on", "1"]);
    let parser = PossibleValuesParser::new([yes, PossibleValue::new("no").aliases(NO)]);
    parser.map(|text| {
        let text = text.to_lowercase();
        text != "no" && !NO.contains(&text.as_str())
    })
}

impl SetBackup {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let OfSubflow { token, id } = self.of;
        subflows::set_backup(&borrow(token)?, id, self.backup)?;
        let is = if self.backup { "is now" } else { "is no longer" };
        out.done(format_args!("subflow {id} of {token} {is} a backup"))
    }
}
