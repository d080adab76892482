//! `subflows info TOKEN`

use clap::Args;

use super::OfConnection;
use crate::failure::Failure;
use crate::output::Output;

/// Read the counters of one connection as a whole
///
/// A counter that this kernel does not have is shown as -.
#[derive(Args, Debug)]
pub(crate) struct Info {
    #[command(flatten)]
    of: OfConnection,
}

impl Info {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        out.record(&subflows::info(&self.of.borrow()?.1)?)
    }
}
