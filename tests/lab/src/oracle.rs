//! What the kernel reports about connections, read by independent tools: ss, nstat, ip.
//!
//! These are for tests: they panic with the message of the tool if it fails.

use std::net::{IpAddr, SocketAddr};

use crate::namespace::Namespace;

/// A TCP socket that belongs to an MPTCP connection, as `ss -tni` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsSubflow {
    /// The state, as ss writes it: `ESTAB`, `SYN-SENT`, …
    pub state: String,
    /// The local address.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
    /// The interface to which the subflow is bound, if it is.
    pub interface: Option<String>,
    /// The local token, in the hexadecimal digits of ss. It identifies the connection on this host.
    pub token: String,
    /// The peer's token: `0000` on the initial subflow.
    pub remote_token: String,
    /// The local address id.
    pub local_id: u8,
    /// The peer's address id.
    pub remote_id: u8,
    /// The letters of `tcp-ulp-mptcp flags:`, such as `Jjec`: `e` is fully established; `b` and `B`
    /// are backup, marked by this end and by the peer. Capitals are the peer's.
    pub flags: String,
    /// Everything that ss prints after the addresses.
    pub details: String,
}

/// An MPTCP connection, as `ss -Mni` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsConnection {
    /// The state, as ss writes it: `ESTAB`, `CLOSE-WAIT`, …
    pub state: String,
    /// The local address of the initial subflow.
    pub local: SocketAddr,
    /// The peer's address of the initial subflow.
    pub remote: SocketAddr,
    /// The number of bytes that were received and not read.
    pub unread: u64,
    /// The local token, in the hexadecimal digits of ss.
    pub token: String,
    /// Everything that ss prints after the addresses.
    pub details: String,
}

impl SsConnection {
    /// A number from the details, such as `subflows`. `None` if ss does not show it, as with many numbers
    /// that are zero.
    pub fn number(&self, name: &str) -> Option<u64> {
        field(&self.details, name)?.parse().ok()
    }
}

/// An endpoint of the kernel's path manager, as `ip mptcp endpoint` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Its address id.
    pub id: u8,
    /// Words such as `subflow`, `signal`, `backup`, `fullmesh`.
    pub flags: Vec<String>,
    /// Its interface, if it has one.
    pub interface: Option<String>,
}

/// All subflows of the namespace except listeners, by `ss -tniae`.
#[track_caller]
pub fn ss_subflows(namespace: &Namespace) -> Vec<SsSubflow> {
    ask(namespace, "ss", &["-O", "-tniaeH"]).lines().filter_map(subflow).collect()
}

/// All MPTCP connections of the namespace except listeners, by `ss -Mniae`.
#[track_caller]
pub fn ss_connections(namespace: &Namespace) -> Vec<SsConnection> {
    ask(namespace, "ss", &["-O", "-MniaeH"]).lines().filter_map(connection).collect()
}

/// A counter of the namespace by its full name, such as `MPTcpExtMPJoinAckRx`, by `nstat -asz`.
///
/// # Panics
/// Also if the kernel has no counter of this name.
#[track_caller]
pub fn nstat(namespace: &Namespace, counter: &str) -> u64 {
    nstat_if_any(namespace, counter)
        .unwrap_or_else(|| panic!("nstat shows no counter called {counter}"))
}

/// As [`nstat`], or `None` if the kernel has no counter of this name.
#[track_caller]
pub fn nstat_if_any(namespace: &Namespace, counter: &str) -> Option<u64> {
    counter_in(&ask(namespace, "nstat", &["-asz"]), counter)
}

/// What the kernel has counted of Multipath TCP, by `nstat`, in a line for a report.
#[track_caller]
pub fn counted(namespace: &Namespace) -> String {
    let shown = ask(namespace, "nstat", &["-as", "MPTcpExt*"]);
    let counters = shown.lines().filter_map(|line| {
        let mut words = line.strip_prefix("MPTcpExt")?.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    });
    counters.collect::<Vec<_>>().join(", ")
}

/// The endpoints of the kernel's path manager, by `ip mptcp endpoint`.
#[track_caller]
pub fn endpoints(namespace: &Namespace) -> Vec<Endpoint> {
    ask(namespace, "ip", &["mptcp", "endpoint", "show"]).lines().filter_map(endpoint).collect()
}

#[track_caller]
fn ask(namespace: &Namespace, program: &str, arguments: &[&str]) -> String {
    match namespace.output(program, arguments) {
        Ok(output) => output,
        Err(error) => panic!("{error}"),
    }
}

/// The columns that all lines of ss begin with.
struct Line {
    state: String,
    unread: u64,
    local: SocketAddr,
    remote: SocketAddr,
    interface: Option<String>,
    details: String,
}

impl Line {
    /// `None` for listeners, which have no remote address.
    fn parse(line: &str) -> Option<Line> {
        let mut words = line.split_whitespace();
        let state = words.next()?.to_owned();
        let unread = words.next()?.parse().ok()?;
        let (local, interface) = address(words.nth(1)?)?;
        let (remote, _) = address(words.next()?)?;
        let details = words.collect::<Vec<_>>().join(" ");
        (state != "LISTEN").then_some(Line { state, unread, local, remote, interface, details })
    }
}

/// Reads `10.0.1.1%eth0:80` or `[2001:db8::1]%eth0:80`.
fn address(text: &str) -> Option<(SocketAddr, Option<String>)> {
    let (host, port) = text.rsplit_once(':')?;
    let (host, interface) = match host.split_once('%') {
        Some((host, interface)) => (host, Some(interface.trim_end_matches(']').to_owned())),
        None => (host, None),
    };
    let ip: IpAddr = host.trim_matches(['[', ']']).parse().ok()?;
    Some((SocketAddr::new(ip, port.parse().ok()?), interface))
}

/// The value of `name:value` among words.
fn field<'a>(details: &'a str, name: &str) -> Option<&'a str> {
    details.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix(':'))
}

fn subflow(line: &str) -> Option<SsSubflow> {
    let Line { state, local, remote, interface, details, .. } = Line::parse(line)?;
    let (_, mptcp) = details.split_once("tcp-ulp-mptcp")?;
    // The peer's half comes first: token:0000(id:0)/4e73b812(id:0)
    let half = |half: &str| {
        let (token, id) = half.split_once("(id:")?;
        Some((token.to_owned(), id.trim_end_matches(')').parse::<u8>().ok()?))
    };
    let (theirs, ours) = field(mptcp, "token")?.split_once('/')?;
    let (remote_token, remote_id) = half(theirs)?;
    let (token, local_id) = half(ours)?;
    let flags = field(mptcp, "flags").unwrap_or_default().to_owned();
    Some(SsSubflow {
        state,
        local,
        remote,
        interface,
        token,
        remote_token,
        local_id,
        remote_id,
        flags,
        details,
    })
}

fn connection(line: &str) -> Option<SsConnection> {
    let Line { state, unread, local, remote, details, .. } = Line::parse(line)?;
    let token = field(&details, "token")?.to_owned();
    Some(SsConnection { state, local, remote, unread, token, details })
}

fn counter_in(text: &str, counter: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == counter).then(|| words.next()?.parse().ok())?
    })
}

fn endpoint(line: &str) -> Option<Endpoint> {
    let mut words = line.split_whitespace();
    let address = words.next()?.parse().ok()?;
    let mut found = Endpoint { address, id: 0, flags: Vec::new(), interface: None };
    while let Some(word) = words.next() {
        match word {
            "id" => found.id = words.next()?.parse().ok()?,
            "dev" => found.interface = Some(words.next()?.to_owned()),
            flag => found.flags.push(flag.to_owned()),
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subflow_is_read() {
        let line = "ESTAB 0 0 10.0.1.2%net0:36967 10.0.1.1:56700 ino:11529 sk:3 <-> ts sack reno \
                    rto:204 tcp-ulp-mptcp flags:Jjec token:9f3c(id:2)/4e73b812(id:1) seq:94 ";
        let found = subflow(line).unwrap();
        assert_eq!(found.local, "10.0.1.2:36967".parse().unwrap());
        assert_eq!(found.remote, "10.0.1.1:56700".parse().unwrap());
        assert_eq!(found.interface.as_deref(), Some("net0"));
        assert_eq!((found.token.as_str(), found.local_id), ("4e73b812", 1));
        assert_eq!((found.remote_token.as_str(), found.remote_id), ("9f3c", 2));
        assert_eq!((found.flags.as_str(), found.state.as_str()), ("Jjec", "ESTAB"));
    }

    #[test]
    fn a_connection_is_read() {
        let line = "ESTAB 7 0 [2001:db8:1::2]:80 [2001:db8:1::1]:5000 ino:1 sk:5 <-> subflows:1 \
                    subflows_max:2 remote_key token:4e73b812 write_seq:1f";
        let found = connection(line).unwrap();
        assert_eq!(found.remote, "[2001:db8:1::1]:5000".parse().unwrap());
        assert_eq!((found.token.as_str(), found.unread), ("4e73b812", 7));
        assert_eq!(found.number("subflows"), Some(1));
        assert_eq!(found.number("add_addr_signal"), None);
    }

    #[test]
    fn listeners_and_plain_tcp_are_passed_over() {
        assert_eq!(subflow("LISTEN 0 128 127.0.0.1:80 0.0.0.0:* <-> tcp-ulp-mptcp"), None);
        assert_eq!(subflow("LISTEN 0 128 *:80 *:* <-> tcp-ulp-mptcp"), None);
        assert_eq!(subflow("ESTAB 0 0 127.0.0.1:80 127.0.0.1:81 <-> reno"), None);
        assert_eq!(subflow(""), None);
    }

    #[test]
    fn counters_and_endpoints_are_read() {
        let text = "#kernel\nMPTcpExtMPJoinSynRx 3 0.0\nMPTcpExtMPJoinSynRxMore 9 0.0\n";
        assert_eq!(counter_in(text, "MPTcpExtMPJoinSynRx"), Some(3));
        assert_eq!(counter_in(text, "MPTcpExt"), None);
        let found = endpoint("2001:db8:2::1 id 2 subflow backup dev eth1 ").unwrap();
        assert_eq!((found.id, found.interface.as_deref()), (2, Some("eth1")));
        assert_eq!(found.flags, ["subflow", "backup"]);
    }
}
