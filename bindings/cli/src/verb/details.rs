//! `subflows details TOKEN ID`

use clap::Args;

use super::OfSubflow;
use crate::failure::Failure;
use crate::output::Output;

/// Report what `list` does not show of one subflow
///
/// Backup in each direction, address ids, whether it has joined, its interface and its congestion
/// control, and whether its local address or its carrier is gone.
#[derive(Args, Debug)]
pub(crate) struct Details {
    #[command(flatten)]
    of: OfSubflow,
}

impl Details {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        out.record(&subflows::details(&self.of.connection.borrow()?.1, self.of.id)?)
    }
}
