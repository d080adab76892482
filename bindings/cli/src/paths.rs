//! The subflows of one connection as this command shows them: what `list` tells, and beside it
//! what `details` tells.

use std::net::SocketAddr;
use std::os::fd::AsFd;

use serde_json::Value;
use subflows::{Details, Subflow, SubflowState};

use crate::failure::Failure;
use crate::json;
use crate::table::{Align, Cell, FAINT, GOOD, NOTE, NOTHING, Table};
use crate::units;

/// One subflow: known through its socket, or only from the kernel's socket table.
pub(crate) enum Path {
    Seen(Box<Subflow>, Option<Box<Details>>),
    Outside(Box<Details>),
}

/// The subflows of a connection whose socket we have.
pub(crate) fn of(sock: &impl AsFd) -> Result<Vec<Path>, Failure> {
    Ok(subflows::list(sock)?.into_iter().map(|subflow| with_details(sock, subflow)).collect())
}

/// One subflow with its details, if it is not closed in between.
pub(crate) fn with_details(sock: &impl AsFd, subflow: Subflow) -> Path {
    let details = subflows::details(sock, subflow.id).ok().map(Box::new);
    Path::Seen(Box::new(subflow), details)
}

/// The fields of `Subflow`, and those of `Details` as one more field.
pub(crate) fn json(path: &Path) -> Value {
    let (mut fields, details) = match path {
        Path::Seen(subflow, details) => (json::fields(&**subflow), details.as_deref()),
        Path::Outside(details) => (json::as_far_as::<Subflow>(&**details), Some(&**details)),
    };
    let details = details.map_or(Value::Null, |details| json::record(details));
    fields.insert("details".to_owned(), details);
    Value::Object(fields)
}

pub(crate) fn table(paths: &[Path]) -> Table {
    let mut table = Table::new([
        ("ID", Align::Right),
        ("LOCAL", Align::Left),
        ("REMOTE", Align::Left),
        ("RTT", Align::Right),
        ("SENT", Align::Right),
        ("AGAIN", Align::Right),
        ("RECEIVED", Align::Right),
        ("STATE", Align::Left),
    ]);
    paths.iter().for_each(|path| table.row(row(path)));
    table
}

fn row(path: &Path) -> [Cell; 8] {
    let (id, details) = match path {
        Path::Seen(subflow, details) => (subflow.id.to_string(), details.as_deref()),
        Path::Outside(details) => (NOTHING.to_owned(), Some(&**details)),
    };
    let (local, remote, state, rtt_us, bytes) = match path {
        Path::Seen(s, _) => {
            let bytes = [s.bytes_sent, s.bytes_received, s.bytes_retransmitted];
            (s.local, s.remote, s.state, s.rtt_us, bytes)
        }
        Path::Outside(d) => {
            let bytes = [d.bytes_sent, d.bytes_received, d.bytes_retransmitted];
            (d.local, d.remote, d.state, d.rtt_us, bytes)
        }
    };
    let [sent, received, again] = bytes.map(|bytes| units::bytes(bytes).into());
    let interface = details.and_then(|details| details.interface.as_deref());
    [
        id.into(),
        end(local, interface).into(),
        remote.to_string().into(),
        units::microseconds(rtt_us.into()).into(),
        sent,
        again,
        received,
        state_of(state, details),
    ]
}

/// An address, and the interface to which the subflow is bound, as ss writes it.
pub(crate) fn end(address: SocketAddr, interface: Option<&str>) -> String {
    match (address, interface) {
        (_, None) => address.to_string(),
        (SocketAddr::V4(v4), Some(name)) => format!("{}%{name}:{}", v4.ip(), v4.port()),
        (SocketAddr::V6(v6), Some(name)) => format!("[{}%{name}]:{}", v6.ip(), v6.port()),
    }
}

/// Where an open subflow stands, in a word; the TCP state of any other.
pub(crate) fn state_of(state: SubflowState, details: Option<&Details>) -> Cell {
    let Some(details) = details.filter(|_| state == SubflowState::Established) else {
        return Cell::styled(state.name(), NOTE);
    };
    match (details.is_backup, details.is_remote_backup) {
        _ if details.is_additional && !details.is_joined => Cell::styled("joining", NOTE),
        (false, false) => Cell::styled("in use", GOOD),
        (true, false) => Cell::styled("backup", NOTE),
        (false, true) => Cell::styled("backup to the peer", NOTE),
        (true, true) => Cell::styled("backup to both", NOTE),
    }
}

/// A cell for what is only there to fill the table.
pub(crate) fn nothing() -> Cell {
    Cell::styled(NOTHING, FAINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_stands_where_ss_has_it() {
        let v4 = "192.0.2.1:80".parse().unwrap();
        let v6 = "[2001:db8::1]:80".parse().unwrap();
        assert_eq!(end(v4, None), "192.0.2.1:80");
        assert_eq!(end(v4, Some("wwan0")), "192.0.2.1%wwan0:80");
        assert_eq!(end(v6, Some("wwan0")), "[2001:db8::1%wwan0]:80");
    }
}
