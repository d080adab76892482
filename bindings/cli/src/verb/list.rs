//! `subflows list TOKEN`

use clap::Args;
use serde_json::Value;
use subflows::ConnectionsOptions;

use crate::failure::Failure;
use crate::holder::{self, Unheld};
use crate::output::{Output, note};
use crate::paths::{self, Path};
use crate::token::Token;

/// List the live subflows of one connection
///
/// Asks through the socket of the process that holds the connection. Where that is not permitted,
/// or nobody holds it any more, the kernel's socket table is asked instead: it knows less, and no
/// ids.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The connection
    token: Token,
}

impl List {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let paths = match holder::hold(self.token) {
            Ok(held) => paths::of(&held)?,
            Err(Unheld::Unknown(failure)) => return Err(failure),
            Err(reason) => {
                note(format_args!("{reason}; showing what the kernel's socket table tells"));
                outside(self.token)?
            }
        };
        if out.is_json() {
            return Ok(out.json(&paths.iter().map(paths::json).collect::<Value>())?);
        }
        Ok(out.table(&paths::table(&paths))?)
    }
}

/// The subflows as anybody may see them.
fn outside(token: Token) -> Result<Vec<Path>, Failure> {
    let all = subflows::connections(&ConnectionsOptions::new().subflows(true))?;
    let found = all.into_iter().find(|found| found.token == token.0);
    let subflows = found.map(|connection| connection.subflows).unwrap_or_default();
    Ok(subflows.into_iter().map(|details| Path::Outside(Box::new(details))).collect())
}
