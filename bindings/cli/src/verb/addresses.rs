//! `subflows addresses TOKEN`

use clap::Args;

use super::OfConnection;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::column::ID;
use crate::table::{Align, Cell, FAINT, Table};

/// List the local addresses of one connection, with their address ids
///
/// The addresses that live subflows use, and those that were announced or used before. Announced
/// addresses that no subflow uses are listed on Linux 6.10 and newer, for connections that their
/// application controls.
#[derive(Args, Debug)]
pub(crate) struct Addresses {
    #[command(flatten)]
    of: OfConnection,
}

impl Addresses {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let addresses = subflows::addresses(&self.of.borrow()?.1)?;
        if out.is_json() {
            return Ok(out.records(&addresses)?);
        }
        let mut table = Table::new([
            ID,
            ("ADDRESS", Align::Left),
            ("PORT", Align::Right),
            ("SUBFLOWS", Align::Right),
            ("", Align::Left),
        ]);
        for address in &addresses {
            let port = match address.port {
                0 => Cell::styled("any", FAINT),
                port => port.to_string().into(),
            };
            table.row([
                address.id.to_string().into(),
                address.ip.to_string().into(),
                port,
                address.subflows.to_string().into(),
                if address.is_announced { "announced" } else { "" }.into(),
            ]);
        }
        Ok(out.table(&table)?)
    }
}
