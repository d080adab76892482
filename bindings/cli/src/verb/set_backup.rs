//! `subflows set-backup TOKEN ID yes|no`

use clap::Args;
use clap::builder::BoolishValueParser;
use serde_json::Value;

use crate::failure::Failure;
use crate::holder;
use crate::output::Output;
use crate::token::Token;

/// Use a subflow only while no other works, or no longer so
///
/// Tells the peer (MP_PRIO) and does so itself: a backup carries data only while no other subflow
/// can. Needs a connection that its application controls, and CAP_NET_ADMIN.
#[derive(Args, Debug)]
pub(crate) struct SetBackup {
    /// The connection
    token: Token,
    /// The subflow, by its number in `subflows list`
    id: u32,
    /// Whether it is a backup from now on
    #[arg(value_name = "yes|no", action = clap::ArgAction::Set)]
    #[arg(value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    backup: bool,
}

impl SetBackup {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let held = holder::hold(self.token)?;
        subflows::set_backup(&held, self.id, self.backup)?;
        if out.is_json() {
            return Ok(out.json(&Value::Null)?);
        }
        let is = if self.backup { "is now" } else { "is no longer" };
        Ok(out.line(format_args!("subflow {} of {} {is} a backup", self.id, self.token))?)
    }
}
