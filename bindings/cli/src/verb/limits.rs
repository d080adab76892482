//! `subflows limits [show | set]`

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::output::Output;
use crate::table::{Align, Table};

/// Show or set the limits of the kernel's path manager
///
/// They apply to every connection of this network namespace that the kernel manages. Without a further
/// word, the limits are shown. Setting them requires CAP_NET_ADMIN.
#[derive(Args, Debug)]
pub(crate) struct Limits {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum Action {
    /// Show the limits
    Show,
    /// Set one limit or both, for connections that begin from now on
    Set(Set),
}

#[derive(Args, Debug)]
struct Set {
    /// How many subflows a connection may have in addition to the initial one: 0 to 8
    #[arg(long, value_name = "N", required_unless_present = "add_addr_accepted")]
    subflows: Option<u32>,
    /// How many addresses of the peer the kernel opens subflows to: 0 to 8
    #[arg(long, value_name = "N", required_unless_present = "subflows")]
    add_addr_accepted: Option<u32>,
}

impl Limits {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let limits = subflows::limits()?;
        if let Some(Action::Set(set)) = &self.action {
            let subflows = set.subflows.unwrap_or(limits.subflows);
            let accepted = set.add_addr_accepted.unwrap_or(limits.add_addr_accepted);
            subflows::set_limits(subflows, accepted)?;
            return out
                .done(format_args!("the limits are {subflows} subflows, {accepted} addresses"));
        }
        if out.is_json() {
            return out.record(&limits);
        }
        let mut table = Table::new([("LIMIT", Align::Left), ("VALUE", Align::Right)]);
        table.row(["subflows".into(), limits.subflows.to_string().into()]);
        table.row(["add_addr_accepted".into(), limits.add_addr_accepted.to_string().into()]);
        Ok(out.table(&table)?)
    }
}
