//! What can be set on an unconnected TCP socket, and what `upgrade` does with it, written independently of the
//! library's lists.

use subflows_socket_options::table::{
    IP_OPTIONS, IPV6_OPTIONS, SOCKET_OPTIONS, SocketOption, TCP_OPTIONS,
};

/// An option and a value that is not its default.
pub(crate) type Case = SocketOption;

/// Whether sockets of this family have the option.
pub(crate) fn is_of(case: &Case, family: i32) -> bool {
    case.level != libc::IPPROTO_IPV6 || family == libc::AF_INET6
}

fn cases(names: &[&str]) -> Vec<Case> {
    let all = || [SOCKET_OPTIONS, IP_OPTIONS, IPV6_OPTIONS, TCP_OPTIONS].into_iter().flatten();
    let case = |name: &&str| {
        // The library names the options that have a newer form as programs do.
        let plain = |option: &&Case| option.name.trim_end_matches("_OLD") == *name;
        let option = all().find(plain).unwrap_or_else(|| panic!("{name} is not in the table"));
        Case { name: option.name.trim_end_matches("_OLD"), ..*option }
    };
    names.iter().map(case).collect()
}

/// Options that `upgrade` carries over.
pub(crate) fn carried() -> Vec<Case> {
    cases(&[
        "SO_DEBUG",
        "SO_REUSEADDR",
        "SO_SNDBUF",
        "SO_RCVBUF",
        "SO_SNDBUFFORCE",
        "SO_RCVBUFFORCE",
        "SO_KEEPALIVE",
        "SO_PRIORITY",
        "SO_LINGER",
        "SO_REUSEPORT",
        "SO_RCVLOWAT",
        "SO_RCVTIMEO",
        "SO_SNDTIMEO",
        "SO_BINDTODEVICE",
        "SO_TIMESTAMP",
        "SO_TIMESTAMPNS",
        "SO_MARK",
        "SO_BUSY_POLL",
        "SO_INCOMING_CPU",
        "SO_BINDTOIFINDEX",
        "SO_TIMESTAMP_NEW",
        "SO_TIMESTAMPNS_NEW",
        "SO_RCVTIMEO_NEW",
        "SO_SNDTIMEO_NEW",
        "SO_PREFER_BUSY_POLL",
        "SO_BUF_LOCK",
        "IP_TOS",
        "IP_FREEBIND",
        "IP_TRANSPARENT",
        "IP_BIND_ADDRESS_NO_PORT",
        "IP_LOCAL_PORT_RANGE",
        "IPV6_V6ONLY",
        "IPV6_TRANSPARENT",
        "IPV6_FREEBIND",
        "TCP_NODELAY",
        "TCP_MAXSEG",
        "TCP_CORK",
        "TCP_KEEPIDLE",
        "TCP_KEEPINTVL",
        "TCP_KEEPCNT",
        "TCP_DEFER_ACCEPT",
        "TCP_CONGESTION",
        "TCP_FASTOPEN",
        "TCP_NOTSENT_LOWAT",
        "TCP_FASTOPEN_CONNECT",
        "TCP_FASTOPEN_KEY",
        "TCP_FASTOPEN_NO_COOKIE",
        "TCP_INQ",
    ])
}

/// Options that it refuses. Not those that need something which not every machine has: SO_RESERVE_MEM (a memory
/// control group), TCP_AO_INFO (the kernel's configuration), TCP_ULP (a connection).
pub(crate) fn refused() -> Vec<Case> {
    cases(&[
        "SO_DONTROUTE",
        "SO_BROADCAST",
        "SO_OOBINLINE",
        "SO_NO_CHECK",
        "SO_TIMESTAMPING",
        "SO_RXQ_OVFL",
        "SO_WIFI_STATUS",
        "SO_PEEK_OFF",
        "SO_NOFCS",
        "SO_LOCK_FILTER",
        "SO_SELECT_ERR_QUEUE",
        "SO_MAX_PACING_RATE",
        "SO_ZEROCOPY",
        "SO_TXTIME",
        "SO_TXREHASH",
        "SO_RCVMARK",
        "SO_RCVPRIORITY",
        "IP_TTL",
        "IP_OPTIONS",
        "IP_RECVOPTS",
        "IP_RETOPTS",
        "IP_PKTINFO",
        "IP_MTU_DISCOVER",
        "IP_RECVERR",
        "IP_RECVTTL",
        "IP_RECVTOS",
        "IP_PASSSEC",
        "IP_RECVORIGDSTADDR",
        "IP_MINTTL",
        "IP_CHECKSUM",
        "IP_RECVERR_RFC4884",
        "IP_MULTICAST_LOOP",
        "IP_MULTICAST_ALL",
        "IP_UNICAST_IF",
        "IPV6_2292PKTINFO",
        "IPV6_2292HOPOPTS",
        "IPV6_2292DSTOPTS",
        "IPV6_2292RTHDR",
        "IPV6_2292HOPLIMIT",
        "IPV6_FLOWINFO",
        "IPV6_UNICAST_HOPS",
        "IPV6_MULTICAST_LOOP",
        "IPV6_MTU_DISCOVER",
        "IPV6_RECVERR",
        "IPV6_MULTICAST_ALL",
        "IPV6_ROUTER_ALERT_ISOLATE",
        "IPV6_RECVERR_RFC4884",
        "IPV6_FLOWINFO_SEND",
        "IPV6_RECVPKTINFO",
        "IPV6_RECVHOPLIMIT",
        "IPV6_RECVHOPOPTS",
        "IPV6_HOPOPTS",
        "IPV6_RTHDRDSTOPTS",
        "IPV6_RECVRTHDR",
        "IPV6_RECVDSTOPTS",
        "IPV6_DSTOPTS",
        "IPV6_RECVPATHMTU",
        "IPV6_DONTFRAG",
        "IPV6_RECVTCLASS",
        "IPV6_TCLASS",
        "IPV6_AUTOFLOWLABEL",
        "IPV6_ADDR_PREFERENCES",
        "IPV6_MINHOPCOUNT",
        "IPV6_RECVORIGDSTADDR",
        "IPV6_UNICAST_IF",
        "IPV6_RECVFRAGSIZE",
        "TCP_SYNCNT",
        "TCP_LINGER2",
        "TCP_WINDOW_CLAMP",
        "TCP_QUICKACK",
        "TCP_THIN_LINEAR_TIMEOUTS",
        "TCP_USER_TIMEOUT",
        "TCP_REPAIR",
        "TCP_SAVE_SYN",
        "TCP_TX_DELAY",
        "TCP_RTO_MAX_MS",
        "TCP_RTO_MIN_US",
        "TCP_DELACK_MAX_US",
    ])
}
