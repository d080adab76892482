//! `subflows connections`

use clap::Args;
use subflows::{Connection, Details};

use crate::failure::Failure;
use crate::json;
use crate::output::{Output, note};
use crate::paths::{end, nothing, state_of};
use crate::table::{Align, Cell, Table};
use crate::token::Token;
use crate::units;

/// List every Multipath TCP connection of this network namespace with its subflows
///
/// A line for each connection, and below it one for each of its subflows. The numbers of a
/// connection are what its programs sent and received; those of its subflows include what had to
/// be sent again, and so may add up to more.
#[derive(Args, Debug)]
pub(crate) struct Connections {}

impl Connections {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let connections =
            subflows::connections(&subflows::ConnectionsOptions::new().subflows(true))?;
        if out.is_json() {
            return Ok(out.json(&json::list(&connections))?);
        }
        if connections.is_empty() {
            note("no Multipath TCP connections in this network namespace");
            return Ok(());
        }
        Ok(out.table(&table(&connections))?)
    }
}

fn table(connections: &[Connection]) -> Table {
    let mut table = Table::new([
        ("TOKEN", Align::Left),
        ("LOCAL", Align::Left),
        ("REMOTE", Align::Left),
        ("RTT", Align::Right),
        ("SENT", Align::Right),
        ("RECEIVED", Align::Right),
        ("STATE", Align::Left),
    ]);
    for connection in connections {
        table.row(connection_row(connection));
        connection.subflows.iter().for_each(|details| table.row(subflow_row(details)));
    }
    table
}

fn connection_row(connection: &Connection) -> [Cell; 7] {
    let bytes = |bytes: Option<u64>| bytes.map_or(nothing(), |bytes| units::bytes(bytes).into());
    [
        Token(connection.token).to_string().into(),
        connection.local.to_string().into(),
        connection.remote.to_string().into(),
        "".into(),
        bytes(connection.info.bytes_sent),
        bytes(connection.info.bytes_received),
        connection.state.name().into(),
    ]
}

fn subflow_row(details: &Details) -> [Cell; 7] {
    [
        "  subflow".into(),
        end(details.local, details.interface.as_deref()).into(),
        details.remote.to_string().into(),
        units::microseconds(details.rtt_us.into()).into(),
        units::bytes(details.bytes_sent).into(),
        units::bytes(details.bytes_received).into(),
        state_of(details.state, Some(details)),
    ]
}
