//! `subflows connection TOKEN`

use clap::Args;

use super::OfConnection;
use crate::borrow_socket::look_up;
use crate::failure::Failure;
use crate::output::Output;

/// Look up one connection by its token, as the kernel shows it to every user
///
/// In contrast to `status` and `info`, this does not borrow the socket, so that it requires no
/// permission. It does not list the subflows: see `list`.
#[derive(Args, Debug)]
pub(crate) struct Connection {
    #[command(flatten)]
    of: OfConnection,
}

impl Connection {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        out.record(&look_up(self.of.token()?)?)
    }
}
