//! `subflows set-backup TOKEN ID yes|no`

use clap::Args;

use super::{OfSubflow, yes_or_no};
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

impl SetBackup {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let id = self.of.id;
        let (token, sock) = self.of.connection.borrow()?;
        subflows::set_backup(&sock, id, self.backup)?;
        let is = if self.backup { "is now" } else { "is no longer" };
        out.done(format_args!("subflow {id} of {token} {is} a backup"))
    }
}
