//! `subflows list TOKEN`

use clap::Args;
use subflows::ConnectionsOptions;

use super::OfConnection;
use crate::borrow_socket::{BorrowError, borrow};
use crate::failure::Failure;
use crate::output::{Output, note};
use crate::row::{self, Row};
use crate::token::Token;

/// List the live subflows of one connection
///
/// Reads them through the socket of the process that holds the connection. If that is not
/// permitted, or no process holds it any more, reads the kernel's socket table instead, which has
/// fewer fields and no ids.
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    of: OfConnection,
}

impl List {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let token = self.of.token()?;
        let rows = match borrow(token) {
            Ok(sock) => row::of(&sock)?,
            Err(BorrowError::LookUp(failure)) => return Err(failure),
            Err(error) => {
                note(format_args!("{error}; showing the kernel's socket table instead"));
                from_kernel(token)?
            }
        };
        if out.is_json() {
            return Ok(out.objects(&rows, row::write)?);
        }
        Ok(out.table(&row::table(&rows))?)
    }
}

/// The subflows as the kernel's socket table shows them to every user.
fn from_kernel(token: Token) -> Result<Vec<Row>, Failure> {
    let all = subflows::connections(&ConnectionsOptions::new().subflows(true))?;
    let found = all.into_iter().find(|found| found.token == token.0);
    let subflows = found.map(|connection| connection.subflows).unwrap_or_default();
    Ok(subflows.into_iter().map(|details| Row::KernelOnly(Box::new(details))).collect())
}
