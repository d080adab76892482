//! The table of findings: what the doctor can find, how much it matters, and what helps.

use std::fmt::Display;

use crate::cause::{self, Cause};
use crate::table::{enumeration, record};

/// The most findings of one examination.
const MOST: usize = 64;

enumeration! {
    /// How much a finding matters.
    pub enum Severity {
        /// By itself the reason for which there is no Multipath TCP, or no further subflow.
        Blocking = 0,
        /// May be the reason.
        Likely = 1,
        /// Not the reason by itself, but worth knowing.
        Notice = 2,
    }
}

record! {
    /// Something that the doctor found.
    pub struct Finding {
        /// What was found. Its name is the same in every version.
        kind: FindingKind,
        /// How much it matters.
        severity: Severity,
        /// What it is, as a clause, with the names and numbers of this host.
        explanation: String,
        /// What helps, as a sentence; often a command to run.
        remedy: String,
    }
}

/// The row of a finding that has words of its own, or those of a cause, or its own remedy for a cause.
macro_rules! words {
    ($what:literal, $remedy:literal) => {
        ($what, $remedy)
    };
    ($cause:ident, $remedy:literal) => {{
        const CAUSE: Cause = cause::$cause;
        (CAUSE.what, $remedy)
    }};
    ($cause:ident) => {{
        const CAUSE: Cause = cause::$cause;
        (CAUSE.what, CAUSE.remedy)
    }};
}

/// Declares the table: name, number, severity, what, remedy. The documentation of a row is the condition for
/// it. Words in braces are replaced by what was found.
macro_rules! findings {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal, $severity:ident, ($($words:tt)*);)*) => {
        enumeration! {
            /// What the doctor can find.
            pub enum FindingKind { $($(#[doc = $doc])* $name = $number),* }
        }

        impl FindingKind {
            /// Returns how much a finding of this kind matters.
            pub const fn severity(self) -> Severity {
                match self { $(FindingKind::$name => Severity::$severity),* }
            }

            /// Returns the explanation, as a clause. Words in braces stand for what was found.
            pub const fn explanation(self) -> &'static str {
                self.words().0
            }

            /// Returns what helps, as a sentence. Words in braces stand for what was found.
            pub const fn remedy(self) -> &'static str {
                self.words().1
            }

            const fn words(self) -> (&'static str, &'static str) {
                match self { $(FindingKind::$name => words!($($words)*)),* }
            }
        }
    };
}

findings! {
    // This kernel and this process.

    // No test: only a kernel without Multipath TCP makes none.
    /// The kernel makes no Multipath TCP socket.
    NoMptcp = 1, Blocking, (NO_MPTCP);
    /// `net.mptcp.enabled` is 0.
    SwitchedOff = 2, Blocking, (SWITCHED_OFF);
    /// A sandbox refuses Multipath TCP sockets.
    MptcpDenied = 3, Blocking, (MPTCP_DENIED);
    /// The kernel counts a black hole, and connects without Multipath TCP.
    BlackHole = 4, Blocking,
        (BLACK_HOLE_BEFORE, "Let it forget that: sysctl net.mptcp.blackhole_timeout={seconds}.");
    /// A sandbox refuses netlink sockets.
    NetlinkDenied = 5, Likely, (NETLINK_DENIED);
    /// /proc/sys does not show `net.mptcp`.
    HiddenSettings = 6, Notice, (HIDDEN_SYSCTLS);
    /// /proc/sys is read-only, so that this process cannot take control of a connection.
    ReadOnlySettings = 7, Notice, (READ_ONLY_SETTINGS);
    /// This process may not open subflows, neither itself nor by a broker.
    NoRight = 8, Notice,
        ("opening subflows is not permitted: {cause}", "{remedy}");

    // The kernel's path manager.

    /// `net.mptcp.path_manager` is not `kernel`.
    UserspacePathManager = 9, Likely,
        ("{setting} is {value}, so the kernel opens no subflow of new connections, and only programs that \
          control them do",
         "Run sysctl {setting}={kernel}.");
    /// The limit of additional subflows is 0.
    LimitSubflows = 10, Blocking,
        ("the kernel's path manager allows no additional subflow", "Run ip mptcp limits set subflows 8.");
    /// The connection has as many additional subflows as the limit allows.
    LimitReached = 11, Notice,
        ("the connection has {count} additional subflows, and the kernel's path manager allows no more",
         "Run ip mptcp limits set subflows 8.");
    /// Peers have announced addresses, and `add_addr_accepted` is 0.
    LimitAddAddrAccepted = 12, Likely,
        ("the peer has announced addresses, and the kernel opens no subflow to them (add_addr_accepted 0)",
         "Run ip mptcp limits set add_addr_accepted 8.");
    /// The kernel's path manager has no endpoints.
    NoEndpoint = 13, Likely,
        ("the kernel's path manager has no endpoint, so it opens no subflow",
         "Run ip mptcp endpoint add {address} dev {interface} subflow.");
    /// Every endpoint is `signal`, and this host connects.
    OnlySignalEndpoints = 14, Likely,
        ("the endpoints only announce addresses (signal), so the kernel opens no subflow on connections that \
          this host begins",
         "Run ip mptcp endpoint add {address} dev {interface} subflow, after \
          ip mptcp endpoint delete id ID if {address} has an endpoint.");
    /// The address of an endpoint does not belong to this host.
    EndpointAddressGone = 15, Likely,
        ("no interface has {address}, the address of endpoint {id}", "Run ip mptcp endpoint delete id {id}.");
    /// The interface of an endpoint, or the one that owns its address, is down.
    EndpointInterfaceDown = 16, Likely,
        ("endpoint {id} ({address}) is on {interface}, which is down or has no carrier",
         "Run ip link set {interface} up, and check its cable or its network.");
    /// The interface of an endpoint does not exist.
    EndpointInterfaceMissing = 17, Likely,
        ("endpoint {id} ({address}) is for an interface that no longer exists (index {index})",
         "Run ip mptcp endpoint delete id {id}, and add it again.");
    /// No route leads from the address of an endpoint to the remote address.
    EndpointNoRoute = 18, Likely,
        ("no route leads to {remote} from {address} (endpoint {id}) by {interface}",
         "Run ip route add default via GATEWAY dev {interface} metric 1000.");
    /// Packets from the address of an endpoint leave by an interface that does not own it.
    EndpointRouteElsewhere = 19, Likely,
        ("packets to {remote} from {address} (endpoint {id}) leave by {other}, and the address belongs to \
          {interface}: routers drop them",
         "Run ip mptcp endpoint delete id {id}; ip mptcp endpoint add {address} dev {interface} subflow.");
    /// The only usable endpoint has the address of the initial subflow.
    EndpointIsInitial = 20, Likely,
        ("{local}, the only endpoint that the kernel could open a subflow from, is the address of the initial \
          subflow",
         "Run ip mptcp endpoint add {address} dev {interface} subflow.");
    /// The remote address is IPv4 and every endpoint IPv6, or the other way round.
    EndpointOtherFamily = 21, Likely,
        ("no endpoint has the address family of {remote}",
         "Run ip mptcp endpoint add {address} dev {interface} subflow.");
    /// An endpoint announces a private address, and the remote address is public.
    PrivateAddressAnnounced = 22, Notice,
        ("endpoint {id} announces {address}, a private address that {remote} cannot reach through NAT",
         "Run ip mptcp endpoint delete id {id}, and let this host open the subflows (subflow).");

    // The network of this host.

    /// Less than two interfaces have an address with which they lead to the remote address, or to any.
    OneInterface = 23, Likely,
        ("a second path needs a second interface: {interfaces} with an address that leads out",
         "Connect another interface, and check that it has an address and a route: ip address, ip route.");
    /// An interface that does not have the route has a strict filter.
    ReversePathFilter = 24, Likely,
        ("the reverse-path filter of {interface} is strict, and drops what {remote} answers to {address}, \
          because the route to {remote} leaves by {other}",
         "Run sysctl net/ipv4/conf/{interface}/rp_filter=2.");

    // The way to the remote address.

    /// No usable route leads to the remote address.
    Unreachable = 25, Blocking, ("a connection fails: {error}", "{remedy}");
    /// A policy of this host denies the connection.
    ConnectDenied = 26, Blocking, ("a connection fails: {error}", "{remedy}");
    /// No server listens at the remote address.
    Refused = 27, Blocking,
        ("{remote} refuses the connection",
         "Check that the address and the port are those of the server's listener.");
    /// The remote host answers neither to Multipath TCP nor to TCP.
    Silent = 28, Blocking,
        ("{remote} answers neither to Multipath TCP nor to TCP",
         "Check that packets pass: traceroute --tcp {ip}.");
    // No test: what remains are errors such as a lack of memory.
    /// A connection fails for another reason.
    ConnectFailed = 29, Blocking, ("a connection fails: {error}", "{remedy}");
    /// The remote host answers to TCP, and not to Multipath TCP.
    SynDropped = 30, Blocking,
        ("{remote} answers to plain TCP only: the path to it drops what has the option of Multipath TCP",
         "Use another path, or permit TCP option 30 in the firewalls before {remote}.");
    /// A SYN with the option of Multipath TCP is answered by a reset, and one without it is accepted.
    SynRejected = 52, Blocking,
        ("{remote} accepts plain TCP only: something resets what has the option of Multipath TCP",
         "Use another path, or permit TCP option 30 in the firewalls before {remote}.");
    /// The connection is plain TCP from the answer on.
    PeerWithoutMptcp = 31, Blocking,
        ("{remote} answers without Multipath TCP: its server does not support it, or a middlebox removes it",
         "Make the server listen by Multipath TCP (subflows run -- SERVER), or find the middlebox: \
          subflows probe --trace {remote}.");
    /// The peer answers by Multipath TCP, and acknowledges nothing by it.
    PeerUnconfirmed = 53, Likely,
        ("{remote} offers Multipath TCP and confirms nothing by it: its server defers accepts until data arrives \
          (TCP_DEFER_ACCEPT), or a middlebox removes the options of later segments",
         "Run subflows probe --data TEXT {remote}, which distinguishes the two.");
    /// The options of later segments are gone.
    OptionsStripped = 54, Blocking,
        ("{remote} offers Multipath TCP, and a middlebox removes the options of later segments",
         "Use another path to {remote}.");
    /// The options of the answers are copies.
    OptionsEchoed = 55, Blocking,
        ("{remote} does not have Multipath TCP: something on the path copies options into the answers",
         "Use another path to {remote}.");
    /// The connection is reset as soon as it is established.
    ConnectionReset = 56, Blocking,
        ("something resets connections to {remote} as soon as options of Multipath TCP follow",
         "Use another path, or permit TCP option 30 in the firewalls before {remote}.");
    /// The peer has set the C flag (RFC 8684, section 3.1).
    PeerDeniesInitialAddress = 32, Likely,
        ("the peer accepts no further subflow to its initial address, only to those that it announces",
         "Run ip mptcp limits set add_addr_accepted 8.");

    // One connection.

    /// The socket is TCP.
    PlainSocket = 33, Blocking,
        ("the socket is plain TCP: the program made it so, or accepted a client without Multipath TCP",
         "Run subflows run -- PROGRAM, or use protocol 262 in its socket(2).");
    /// The socket is Multipath TCP, and the connection plain TCP.
    FellBack = 34, Blocking,
        ("the connection fell back to plain TCP; the kernel's counters: {counters}",
         "Connect by another path: this peer has no Multipath TCP, or a middlebox changes the options or \
          the data.");
    /// The socket has no connection.
    NotConnected = 35, Blocking, ("the socket is not connected", "Connect it first: connect(2).");
    /// Neither end has acknowledged data.
    NotReady = 36, Blocking,
        ("no byte of the connection has been acknowledged yet, and the first one permits further subflows",
         "Send or receive a byte.");
    /// One direction is closed.
    HalfClosed = 37, Blocking,
        ("one direction of the connection is closed, so it gets no further subflow",
         "Open subflows before either end calls shutdown(2).");
    /// The connection has ended.
    Closed = 38, Blocking, ("the connection has ended", "Connect again.");
    /// The application controls the connection, and has opened nothing.
    Controlled = 39, Blocking,
        ("a program controls the connection, so that the kernel's endpoints do not apply, and has opened no \
          further subflow",
         "Run subflows open {token} --interface {interface}.");
    /// This end accepted the connection.
    Accepted = 40, Notice,
        ("this end accepted the connection, and clients open the further subflows",
         "Run subflows doctor on the client.");
    /// A further subflow waits for its first answer.
    JoinUnanswered = 41, Likely,
        ("{remote} has not answered to the subflow from {local}",
         "Check that packets pass on that path: traceroute --tcp --source={ip} {peer}.");
    /// A further subflow was answered and not confirmed.
    JoinUnconfirmed = 42, Likely, (DEFERRED_ACCEPT);
    /// The kernel has tried to open a further subflow, and none came of it or is left.
    JoinRefused = 43, Likely, (REFUSED_JOIN);
    /// The local address of a subflow does not belong to this host any more.
    SubflowAddressGone = 44, Likely,
        ("{local}, the local address of subflow {id}, no longer belongs to this host",
         "Run subflows close {token} {id}.");
    /// The interface of a subflow is down.
    SubflowCarrierGone = 45, Likely,
        ("the interface of subflow {id} ({local}) is down, has no carrier, or has gone",
         "Bring it up (ip link set INTERFACE up), or run subflows close {token} {id}.");
    /// Packets of a further subflow leave by an interface that does not own its address.
    SubflowElsewhere = 46, Likely,
        ("subflow {id} from {local} leaves by another interface than {interface}, which has that address",
         "Run ip rule add from {ip} lookup TABLE, with a default route by {interface} in that table.");
    /// Every further subflow is a backup.
    OnlyBackup = 47, Notice,
        ("every further subflow is a backup, and carries data only while no other works",
         "Run subflows set-backup {token} {id} no.");
    /// The socket listens with TCP_DEFER_ACCEPT.
    DeferAccept = 48, Likely,
        ("the listener defers accepts by {seconds} s, and clients' further subflows by as much",
         "Switch off TCP_DEFER_ACCEPT (Apache: AcceptFilter http none; nginx: listen without `deferred`).");

    // What the kernel has counted since the network namespace exists.

    /// Counters show that connections fell back.
    Fallbacks = 49, Notice,
        ("connections of this network namespace fell back to plain TCP before: {counters}",
         "Run subflows connections --json for those that did, and subflows doctor TOKEN for one.");
    /// A counter shows that this host refused further subflows of its clients.
    JoinsRejected = 50, Notice,
        ("this host has refused {count} further subflows of its clients, as its limit demands",
         "Run ip mptcp limits set subflows 8.");
    /// The kernel does not look up TCP sockets, without which programs open no subflow.
    NoTcpDiag = 51, Notice, (NO_TCP_DIAG);
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding, with what replaces the words in braces.
    pub(super) fn add(&mut self, kind: FindingKind, words: &[(&str, &dyn Display)]) {
        if self.0.len() >= MOST {
            return;
        }
        let filled = |text| fill(text, words);
        let (explanation, remedy) = (filled(kind.explanation()), filled(kind.remedy()));
        self.0.push(Finding { kind, severity: kind.severity(), explanation, remedy });
    }

    /// Reports whether something of that kind was found.
    pub(super) fn has(&self, kind: FindingKind) -> bool {
        self.0.iter().any(|found| found.kind == kind)
    }

    /// Returns them in the order of their severity, otherwise as they were found.
    pub(super) fn sorted(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|found| found.severity as i32);
        self.0
    }
}

/// Replaces each `{word}`. What replaces one is not searched again.
fn fill(text: &str, words: &[(&str, &dyn Display)]) -> String {
    let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('{') {
        filled += before;
        let (word, after) = after.split_once('}').unwrap_or((after, ""));
        match words.iter().find(|(name, _)| *name == word) {
            Some((_, value)) => filled += &value.to_string(),
            None => debug_assert!(false, "nothing was found for {word:?} in {text:?}"),
        }
        rest = after;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_braces_are_replaced_once() {
        let words: &[(&str, &dyn Display)] = &[("a", &"{b}"), ("b", &7)];
        assert_eq!(fill("{a} and {b}{b}.", words), "{b} and 77.");
        assert_eq!(fill("none", words), "none");
    }

    #[test]
    fn explanations_are_clauses_and_remedies_sentences() {
        for kind in FindingKind::ALL {
            let (what, remedy) = (kind.explanation(), kind.remedy());
            assert!(!what.is_empty() && !what.ends_with('.'), "{kind}: {what}");
            assert!(remedy == "{remedy}" || remedy.ends_with('.'), "{kind}: {remedy}");
        }
    }

    #[test]
    fn the_worst_comes_first_and_the_number_is_bounded() {
        let mut found = Findings::default();
        found.add(FindingKind::Accepted, &[]);
        (0..MOST).for_each(|_| found.add(FindingKind::NotReady, &[]));
        let sorted = found.sorted();
        assert_eq!(sorted.len(), MOST);
        assert_eq!(sorted[0].severity, Severity::Blocking);
        assert_eq!(sorted[MOST - 1].kind, FindingKind::Accepted);
    }
}
