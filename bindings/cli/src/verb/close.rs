//! `subflows close TOKEN ID`

use clap::Args;
use serde_json::Value;

use crate::failure::Failure;
use crate::holder;
use crate::output::Output;
use crate::token::Token;

/// Close one subflow; the connection goes on
///
/// Data that was on its way there is sent again on the others. Works for the initial subflow too,
/// and for connections under the kernel's path manager. Needs CAP_NET_ADMIN.
#[derive(Args, Debug)]
pub(crate) struct Close {
    /// The connection
    token: Token,
    /// The subflow, by its number in `subflows list`
    id: u32,
    /// Close it even if it is the last one that works: the connection then has no path, and dies
    /// unless another is opened
    #[arg(long)]
    force: bool,
}

impl Close {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let held = holder::hold(self.token)?;
        match self.force {
            true => subflows::force_close(&held, self.id)?,
            false => subflows::close(&held, self.id)?,
        }
        match out.is_json() {
            true => out.json(&Value::Null)?,
            false => out.line(format_args!("closed subflow {} of {}", self.id, self.token))?,
        }
        Ok(())
    }
}
