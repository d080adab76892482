//! `subflows status TOKEN`

use clap::Args;

use super::OfConnection;
use crate::failure::Failure;
use crate::output::Output;

/// Report the state of one connection, and what manages its subflows
///
/// `is_ready` is yes if subflows can be opened now.
#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    of: OfConnection,
}

impl Status {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        out.record(&subflows::status(&self.of.borrow()?.1)?)
    }
}
