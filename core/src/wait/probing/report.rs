//! What `probe` finds: its verdicts and its report.

use std::net::SocketAddr;

use crate::table::{enumeration, record};

enumeration! {
    /// What an address offers, and what happens to Multipath TCP on the way to it.
    pub enum Verdict {
        /// Multipath TCP works: the peer acknowledged the end of the data (DATA_FIN) by it, which no other
        /// host can do.
        Mptcp = 0,
        /// The peer offered Multipath TCP in its SYN/ACK, but did not acknowledge anything by it. Either the
        /// server defers accepting until data arrives (TCP_DEFER_ACCEPT), or a middlebox removes the
        /// options of later segments or drops these. The option `data` decides.
        Unconfirmed = 1,
        /// Plain TCP: the SYN/ACK had no valid MP_CAPABLE option. The peer has no Multipath TCP, or a
        /// middlebox removed the option from the SYN or the SYN/ACK, or something echoed the option of the
        /// SYN.
        Tcp = 2,
        /// The peer offered Multipath TCP in its SYN/ACK, but later segments came without its options: a
        /// middlebox removes them, and the connection fell back to TCP.
        Stripped = 3,
        /// Options of Multipath TCP came back, but none acknowledged what was sent: something on the path
        /// copies options into its answers.
        Echoed = 4,
        /// SYNs with MP_CAPABLE were not answered, a SYN without it was: something drops them. Every
        /// connection to this address by Multipath TCP begins with a delay of seconds.
        BlackHole = 5,
        /// A SYN with MP_CAPABLE was answered by RST, a SYN without it was accepted.
        Blocked = 6,
        /// The connection was established and then reset before the peer acknowledged anything by Multipath
        /// TCP.
        Reset = 7,
        /// No server listens there: SYNs with and without MP_CAPABLE were answered by RST.
        Refused = 8,
        /// No route leads there, or a router or the host reported that it cannot be reached (ICMP).
        Unreachable = 9,
        /// Neither SYNs with MP_CAPABLE nor those without it were answered in time.
        Silent = 10,
    }
}

record! {
    /// What `probe` found out about an address.
    pub struct ProbeReport {
        /// The address.
        remote: SocketAddr,
        /// What it offers.
        verdict: Verdict,
        /// How long the SYN that was answered waited for the answer, with its repetitions. Absent if none
        /// was answered.
        handshake_us: Option<u64> [Microseconds],
        /// Whether data carries checksums, which either end may ask for (RFC 8684, section 3.3.1). Absent
        /// unless the peer offered Multipath TCP.
        is_checksum_enabled: Option<bool>,
        /// Whether the peer forbids further subflows to this address and port (the C flag of RFC 8684,
        /// section 3.1). Absent unless the peer offered Multipath TCP, and without `CAP_NET_ADMIN`.
        is_join_denied: Option<bool>,
    }
}
