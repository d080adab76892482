//! The subflows of one connection as this command shows them: what `list` reports, together with
//! what `details` reports.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Duration;

use serde_json::Value;
use subflows::{Details, Subflow, SubflowState};

use crate::failure::Failure;
use crate::json;
use crate::table::column::{ID, LOCAL, RECEIVED, REMOTE, RTT, SENT, STATE};
use crate::table::{Align, BAD, Cell, FAINT, GOOD, NOTE, NOTHING, Table};
use crate::units;

/// One subflow.
pub(crate) enum Row {
    /// Read through the connection's socket.
    Full(Box<Subflow>, Option<Box<Details>>),
    /// Read from the kernel's socket table only.
    KernelOnly(Box<Details>),
}

/// The subflows of a connection, read through its socket.
pub(crate) fn of(sock: &impl AsFd) -> Result<Vec<Row>, Failure> {
    Ok(subflows::list(sock)?.into_iter().map(|subflow| with_details(sock, subflow)).collect())
}

/// One subflow with its details, unless it has been closed in the meantime.
pub(crate) fn with_details(sock: &impl AsFd, subflow: Subflow) -> Row {
    let details = subflows::details(sock, subflow.id).ok().map(Box::new);
    Row::Full(Box::new(subflow), details)
}

/// Writes what [`json`] returns.
pub(crate) fn write(out: &mut Vec<u8>, row: &Row) {
    out.extend_from_slice(json(row).to_string().as_bytes());
}

/// The fields of `Subflow`, and those of `Details` as one more field.
pub(crate) fn json(row: &Row) -> Value {
    let (mut fields, details) = match row {
        Row::Full(subflow, details) => (json::fields(&**subflow), details.as_deref()),
        Row::KernelOnly(details) => (json::as_far_as::<Subflow>(&**details), Some(&**details)),
    };
    let details = details.map_or(Value::Null, |details| json::record(details));
    fields.insert("details".to_owned(), details);
    Value::Object(fields)
}

pub(crate) fn table(rows: &[Row]) -> Table {
    let resent = ("AGAIN", Align::Right);
    let mut table = Table::new([ID, LOCAL, REMOTE, RTT, SENT, resent, RECEIVED, STATE]);
    rows.iter().for_each(|row| table.row(cells(row)));
    table
}

fn cells(row: &Row) -> [Cell<'static>; 8] {
    let (id, details) = match row {
        Row::Full(subflow, details) => (subflow.id.to_string(), details.as_deref()),
        Row::KernelOnly(details) => (NOTHING.to_owned(), Some(&**details)),
    };
    let (local, remote, state, rtt_us, bytes) = match row {
        Row::Full(s, _) => {
            let bytes = [s.bytes_sent, s.bytes_received, s.bytes_retransmitted];
            (s.local, s.remote, s.state, s.rtt_us, bytes)
        }
        Row::KernelOnly(d) => {
            let bytes = [d.bytes_sent, d.bytes_received, d.bytes_retransmitted];
            (d.local, d.remote, d.state, d.rtt_us, bytes)
        }
    };
    let [sent, received, again] = bytes.map(|bytes| units::bytes(bytes).into());
    let interface = details.and_then(|details| details.interface.as_deref());
    [
        id.into(),
        end(local, interface).into(),
        units::address(remote).into(),
        units::microseconds(rtt_us.into()).into(),
        sent,
        again,
        received,
        state_of(state, details),
    ]
}

/// An address with the interface to which the subflow is bound, as ss writes it.
pub(crate) fn end(address: SocketAddr, interface: Option<&str>) -> String {
    match (address, interface) {
        (_, None) => units::address(address),
        (SocketAddr::V4(v4), Some(name)) => format!("{}%{name}:{}", v4.ip(), v4.port()),
        (SocketAddr::V6(v6), Some(name)) => format!("[{}%{name}]:{}", v6.ip(), v6.port()),
    }
}

/// How an open subflow is used, or why it cannot be; the TCP state of any other subflow.
pub(crate) fn state_of(state: SubflowState, details: Option<&Details>) -> Cell<'static> {
    let is_live = matches!(state, SubflowState::Established | SubflowState::SynSent);
    let Some(details) = details.filter(|_| is_live) else {
        return Cell::styled(state.name(), NOTE);
    };
    match (details.is_address_gone, details.is_carrier_gone, details.unanswered_ms) {
        (true, _, _) => return Cell::styled("address gone", BAD),
        (_, true, _) => return Cell::styled("no carrier", BAD),
        (_, _, Some(ms)) => {
            let silent = units::duration(Duration::from_millis(ms.into()));
            return Cell::styled(format!("silent for {silent}"), BAD);
        }
        _ => {}
    }
    match (details.is_backup, details.is_remote_backup) {
        _ if state != SubflowState::Established => Cell::styled(state.name(), NOTE),
        _ if details.is_additional && !details.is_joined => Cell::styled("joining", NOTE),
        (false, false) => Cell::styled("in use", GOOD),
        (true, false) => Cell::styled("backup", NOTE),
        (false, true) => Cell::styled("backup to the peer", NOTE),
        (true, true) => Cell::styled("backup to both", NOTE),
    }
}

/// A cell without a value.
pub(crate) fn nothing() -> Cell<'static> {
    Cell::styled(NOTHING, FAINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path whose packets are lost was once shown as in use.
    #[test]
    fn a_path_that_carries_nothing_is_not_in_use() {
        let server = subflows::listen("127.0.0.1:0", &Default::default()).unwrap();
        let address = server.local_addr().unwrap();
        let client = subflows::connect(address, &Default::default()).unwrap();
        let id = subflows::list(&client).unwrap()[0].id;
        let mut details = subflows::details(&client, id).unwrap();
        let shown = |details: &Details| state_of(details.state, Some(details)).text().to_owned();
        assert_eq!(shown(&details), "in use");
        details.unanswered_ms = Some(3000);
        assert_eq!(shown(&details), "silent for 3.00 s");
        details.is_carrier_gone = true;
        assert_eq!(shown(&details), "no carrier");
        details.is_address_gone = true;
        assert_eq!(shown(&details), "address gone");
    }

    #[test]
    fn an_interface_is_written_as_by_ss() {
        let v4 = "192.0.2.1:80".parse().unwrap();
        let v6 = "[2001:db8::1]:80".parse().unwrap();
        assert_eq!(end(v4, None), "192.0.2.1:80");
        assert_eq!(end(v4, Some("wwan0")), "192.0.2.1%wwan0:80");
        assert_eq!(end(v6, Some("wwan0")), "[2001:db8::1%wwan0]:80");
    }
}
