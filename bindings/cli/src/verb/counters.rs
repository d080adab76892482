//! `subflows counters`

use clap::Args;

use crate::failure::Failure;
use crate::output::{Output, note};
use crate::table::{Align, Table};

/// Show the kernel's counters of Multipath TCP
///
/// They belong to this network namespace, and count since it exists. `nstat` shows the same with the prefix
/// MPTcpExt. With --json, all are printed.
#[derive(Args, Debug)]
pub(crate) struct Counters {
    /// Show the counters that are 0 as well
    #[arg(long)]
    all: bool,
}

impl Counters {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let counters = subflows::counters()?;
        if out.is_json() {
            return Ok(out.records(&counters)?);
        }
        let mut table = Table::new([("COUNTER", Align::Left), ("VALUE", Align::Right)]);
        let mut shown = counters.iter().filter(|one| self.all || one.value > 0).peekable();
        if shown.peek().is_none() {
            note("every counter of Multipath TCP is 0 in this network namespace");
            return Ok(());
        }
        for counter in shown {
            table.row([counter.name.as_str().into(), counter.value.to_string().into()]);
        }
        Ok(out.table(&table)?)
    }
}
