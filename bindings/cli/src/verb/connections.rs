//! `subflows connections`

use std::panic::resume_unwind;
use std::thread;

use clap::Args;
use subflows::{Connection, ConnectionsOptions, Details, Error, ErrorKind, SubflowList};

use crate::borrow_socket::harmless;
use crate::failure::Failure;
use crate::output::{Output, note};
use crate::row::{end, nothing, state_of};
use crate::table::column::{LOCAL, RECEIVED, REMOTE, RTT, SENT, STATE};
use crate::table::{Align, Cell, NOTE, Table};
use crate::token::Token;
use crate::units;

/// List every Multipath TCP connection of this network namespace with its subflows
///
/// Prints a line for each connection, followed by a line for each of its subflows. A connection's
/// byte counts are those of its programs. The byte counts of its subflows include retransmitted
/// data, so that their sum may be larger.
#[derive(Args, Debug)]
pub(crate) struct Connections {
    /// Find out which processes hold each connection, in /proc: without root, only your own
    #[arg(long)]
    processes: bool,
}

impl Connections {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let options = ConnectionsOptions::new().processes(self.processes);
        let connections = match list(&options.clone().subflows(true)) {
            // A program that reads JSON could not distinguish this from connections without subflows.
            Err(error) if error.kind() == ErrorKind::NotPermitted && !out.is_json() => {
                note(format!("no subflows are shown: {error}"));
                subflows::connections(&options)?
            }
            listed => listed?,
        };
        if out.is_json() {
            return Ok(out.records(&connections)?);
        }
        if connections.is_empty() {
            note("no Multipath TCP connections in this network namespace");
            return Ok(());
        }
        Ok(out.table(&table(&connections, self.processes))?)
    }
}

/// Lists the connections while another thread lists the subflows: with thousands, both take long in the kernel.
fn list(options: &ConnectionsOptions) -> Result<Vec<Connection>, Error> {
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, SubflowList::read);
        let subflows = || match other {
            Ok(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // A limit on processes, for example.
            Err(_) => SubflowList::read(),
        };
        subflows::connections_with(options, subflows)
    })
}

fn table(connections: &[Connection], has_processes: bool) -> Table {
    let token = ("TOKEN", Align::Left);
    let columns = [token, LOCAL, REMOTE, RTT, SENT, RECEIVED, STATE];
    let process = has_processes.then_some(("PROCESS", Align::Left));
    let mut table = Table::new(columns.into_iter().chain(process));
    for connection in connections {
        let process = has_processes.then(|| processes(connection).into());
        table.row(connection_row(connection).into_iter().chain(process));
        connection.subflows.iter().for_each(|details| table.row(subflow_row(details)));
    }
    table
}

fn connection_row(connection: &Connection) -> [Cell<'static>; 7] {
    let bytes = |bytes: Option<u64>| bytes.map_or(nothing(), |bytes| units::bytes(bytes).into());
    [
        Token(connection.token).to_string().into(),
        units::address(connection.local).into(),
        units::address(connection.remote).into(),
        "".into(),
        bytes(connection.info.bytes_sent),
        bytes(connection.info.bytes_received),
        if connection.is_fallen_back {
            Cell::styled("plain TCP", NOTE)
        } else {
            connection.state.name().into()
        },
    ]
}

/// The processes that hold it: `nginx[812] nginx[813]`.
fn processes(connection: &Connection) -> String {
    let words = connection
        .processes
        .iter()
        .map(|process| format!("{}[{}]", harmless(&process.name), process.pid));
    words.collect::<Vec<_>>().join(" ")
}

fn subflow_row(details: &Details) -> [Cell<'static>; 7] {
    [
        "  subflow".into(),
        end(details.local, details.interface.as_deref()).into(),
        units::address(details.remote).into(),
        units::microseconds(details.rtt_us.into()).into(),
        units::bytes(details.bytes_sent).into(),
        units::bytes(details.bytes_received).into(),
        state_of(details.state, Some(details)),
    ]
}

#[cfg(test)]
mod tests {
    use subflows::Connect;

    use super::*;

    /// A connection that fell back was once shown like any other.
    #[test]
    fn a_connection_that_fell_back_is_plain_tcp() {
        let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = subflows::connect(plain.local_addr().unwrap(), &Connect::new()).unwrap();
        let local = client.local_addr().unwrap();
        let all = subflows::connections(&Default::default()).unwrap();
        let fallen = all.iter().find(|found| found.local == local).unwrap();
        assert_eq!(connection_row(fallen)[6].text(), "plain TCP");
    }
}
