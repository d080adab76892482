//! `subflows close TOKEN ID`

use clap::Args;

use super::OfSubflow;
use crate::borrow_socket::borrow;
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
        let OfSubflow { token, id } = self.of;
        let close = if self.force { subflows::force_close } else { subflows::close };
        close(&borrow(token)?, id)?;
        out.done(format_args!("closed subflow {id} of {token}"))
    }
}
