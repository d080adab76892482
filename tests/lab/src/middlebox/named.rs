//! Middleboxes by name, for command lines: `wifi=strip-syn`.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use super::{
    ChangePayload, DropSegments, EchoOptions, JoinSegments, Middlebox, Nat, RewriteIsn,
    SplitSegments, StripMptcp,
};
use crate::wire::Direction;

/// How many bytes pass before `change-payload` changes some.
const CHANGE_AFTER_BYTES: u64 = 20_000;

macro_rules! boxes {
    ($($name:literal = $make:expr, $what:literal;)*) => {
        /// The names of all middleboxes, and what each does.
        pub fn box_names() -> impl Iterator<Item = (&'static str, &'static str)> {
            [$(($name, $what)),*].into_iter()
        }

        fn make(name: &str) -> Option<Box<dyn Middlebox>> {
            match name {
                $($name => Some(Box::new($make)),)*
                _ => None,
            }
        }
    };
}

boxes! {
    "strip-syn" = StripMptcp::from_only_syn(), "removes the MPTCP option of SYNs";
    "strip-syn-ack" = StripMptcp::from_only_syn_ack(), "removes the MPTCP option of SYN/ACKs";
    "strip-third-ack" = StripMptcp::from_third_ack(),
        "removes the MPTCP options of the third segment of the handshake";
    "strip-data" = StripMptcp::from_data(), "removes the MPTCP options of segments with payload";
    "strip-later" = StripMptcp::after_handshake(),
        "removes the MPTCP options of all segments but SYN and SYN/ACK";
    "drop-syn" = DropSegments::mptcp_syns(), "drops SYNs with an MPTCP option";
    "reset-syn" = DropSegments::mptcp_syns().resetting(),
        "answers SYNs with an MPTCP option with RST";
    "drop-join" = DropSegments::join_syns(), "drops SYNs that join a connection (MP_JOIN)";
    "reset-join" = DropSegments::join_syns().resetting(),
        "answers SYNs that join a connection with RST";
    "drop-add-addr" = DropSegments::add_addrs(), "drops announcements of addresses (ADD_ADDR)";
    "change-payload" = ChangePayload::once(Direction::ToClient, CHANGE_AFTER_BYTES),
        "changes some data of the server, once";
    "rewrite-isn" = RewriteIsn::new(), "gives both ends other sequence numbers";
    "split" = SplitSegments::new(), "splits each segment with payload in two";
    "join" = JoinSegments::new(), "joins small segments to larger ones";
    "echo" = EchoOptions::exactly(), "answers for the server, with copies of the client's options";
    "nat" = Nat::new(), "translates the ports of the client";
}

/// A middlebox for a path, as text: `PATH=BOX`.
///
/// ```
/// let spec: subflows_lab::BoxSpec = "wifi=strip-syn".parse().unwrap();
/// assert_eq!(spec.path, "wifi");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxSpec {
    /// The client's interface.
    pub path: String,
    /// The name of the middlebox.
    name: String,
}

impl BoxSpec {
    /// Makes the middlebox.
    pub fn middlebox(&self) -> Box<dyn Middlebox> {
        // A spec exists only with a name of the table.
        make(&self.name).unwrap_or_else(|| unreachable!("checked when the spec was parsed"))
    }
}

/// A text that is not a [`BoxSpec`]. The message contains the text and the accepted names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxSpecError {
    spec: String,
}

impl fmt::Display for BoxSpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = box_names().map(|(name, _)| name).collect();
        write!(
            f,
            "`{}` is not a middlebox: use PATH=BOX with one of {}",
            self.spec,
            names.join(", ")
        )
    }
}

impl Error for BoxSpecError {}

impl FromStr for BoxSpec {
    type Err = BoxSpecError;

    fn from_str(spec: &str) -> Result<BoxSpec, BoxSpecError> {
        let found =
            spec.split_once('=').filter(|(path, name)| !path.is_empty() && make(name).is_some());
        match found {
            Some((path, name)) => Ok(BoxSpec { path: path.to_owned(), name: name.to_owned() }),
            None => Err(BoxSpecError { spec: spec.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_middlebox_is_found_by_its_name() {
        for (name, what) in box_names() {
            let spec: BoxSpec = format!("wifi={name}").parse().unwrap();
            let _ = spec.middlebox();
            assert!(what.chars().next().unwrap().is_lowercase(), "{what}");
        }
    }

    #[test]
    fn errors_name_the_middleboxes() {
        for spec in ["", "wifi", "=nat", "wifi=moon", "nat=wifi"] {
            let error = spec.parse::<BoxSpec>().unwrap_err().to_string();
            assert!(error.contains("strip-syn-ack"), "{error}");
        }
    }
}
