//! `subflows close TOKEN ID`

use clap::Args;

use super::OfSubflow;
use crate::failure::Failure;
use crate::output::Output;

/// Close one subflow and leave the connection open
///
/// Unacknowledged data is sent again on the other subflows. Works for the initial subflow too, and
/// for connections under the kernel's path manager. Requires CAP_NET_ADMIN.
#[derive(Args, Debug)]
pub(crate) struct Close {
    #[command(flatten)]
    of: OfSubflow,
    /// Close the subflow even if it is the last one that works. The connection then has no path,
    /// and ends unless another subflow is opened
    #[arg(long)]
    force: bool,
}

impl Close {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let id = self.of.id;
        let (token, sock) = self.of.connection.borrow()?;
        let close = if self.force { subflows::force_close } else { subflows::close };
        close(&sock, id)?;
        out.done(format_args!("closed subflow {id} of {token}"))
    }
}
