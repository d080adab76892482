//! The options of a TCP socket: those that `upgrade` copies, and those for which it fails.
//!
//! Together they are every option that a program can set on an unconnected TCP socket and read back
//! (Linux 6.1 to 7.3). For those that a Multipath TCP socket accepts, see `mptcp_setsockopt` in
//! `net/mptcp/sockopt.c`.

use crate::sys::uapi::IP_LOCAL_PORT_RANGE;
use libc::{IPPROTO_IP as IP, IPPROTO_IPV6 as IPV6, IPPROTO_TCP as TCP, SOL_SOCKET as SOCKET};

/// How an option is set from the value that was read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// To the same bytes.
    Same,
    /// To half the size: the kernel doubles the size of a buffer when it is set.
    Half,
    /// By setting the size of each buffer whose size was set.
    Sizes,
}

pub(super) struct Opt {
    pub(super) name: &'static str,
    pub(super) level: i32,
    pub(super) number: i32,
    pub(super) set: Set,
    /// Whether it is zero on every socket that has just been made, whatever the settings of the system and
    /// the BPF programs of a control group are.
    pub(super) is_off: bool,
}

const IP_RECVERR_RFC4884: i32 = 26;
const IP_RETOPTS: i32 = 7;
const IPV6_RECVERR_RFC4884: i32 = 31;
const SO_PASSPIDFD: i32 = 76;
const SO_RCVPRIORITY: i32 = 82;
const TCP_TX_DELAY: i32 = 37;
const TCP_AO_INFO: i32 = 40;
const TCP_RTO_MAX_MS: i32 = 44;
const TCP_RTO_MIN_US: i32 = 45;
const TCP_DELACK_MAX_US: i32 = 46;

macro_rules! options {
    ($($level:ident $name:ident = $number:expr $(, $word:ident)*;)*) => {
        &[$(options!(@ Opt {
            name: stringify!($name), level: $level, number: $number, set: Set::Same, is_off: false
        } $(, $word)*)),*]
    };
    (@ $opt:expr) => { $opt };
    (@ $opt:expr, off) => { Opt { is_off: true, ..$opt } };
    (@ $opt:expr, $set:ident) => { Opt { set: Set::$set, ..$opt } };
    (@ $opt:expr, $set:ident, off) => { Opt { set: Set::$set, is_off: true, ..$opt } };
}

/// The options that are copied and read back, in this order, because some change others. Those that are *off*
/// at first are zero on a new socket.
pub(super) const CARRIED: &[Opt] = options! {
    SOCKET SO_DEBUG = libc::SO_DEBUG, off;
    SOCKET SO_REUSEADDR = libc::SO_REUSEADDR, off;
    SOCKET SO_REUSEPORT = libc::SO_REUSEPORT, off;
    SOCKET SO_KEEPALIVE = libc::SO_KEEPALIVE, off;
    SOCKET SO_LINGER = libc::SO_LINGER, off;
    SOCKET SO_MARK = libc::SO_MARK;
    SOCKET SO_RCVTIMEO = libc::SO_RCVTIMEO, off;
    SOCKET SO_SNDTIMEO = libc::SO_SNDTIMEO, off;
    // Enlarges the buffer to that value, unless the buffer's size is set.
    SOCKET SO_RCVLOWAT = libc::SO_RCVLOWAT;
    SOCKET SO_SNDBUF = libc::SO_SNDBUF, Half;
    SOCKET SO_RCVBUF = libc::SO_RCVBUF, Half;
    // Which of the two sizes were set by the program.
    SOCKET SO_BUF_LOCK = libc::SO_BUF_LOCK, Sizes, off;
    SOCKET SO_BINDTOIFINDEX = libc::SO_BINDTOIFINDEX;
    // The same by name, for kernels before 5.1.
    SOCKET SO_BINDTODEVICE = libc::SO_BINDTODEVICE;
    SOCKET SO_INCOMING_CPU = libc::SO_INCOMING_CPU;
    SOCKET SO_BUSY_POLL = libc::SO_BUSY_POLL;
    SOCKET SO_PREFER_BUSY_POLL = libc::SO_PREFER_BUSY_POLL, off;
    SOCKET SO_TIMESTAMP = libc::SO_TIMESTAMP, off;
    SOCKET SO_TIMESTAMPNS = libc::SO_TIMESTAMPNS, off;
    SOCKET SO_TIMESTAMP_NEW = libc::SO_TIMESTAMP_NEW, off;
    SOCKET SO_TIMESTAMPNS_NEW = libc::SO_TIMESTAMPNS_NEW, off;
    IP IP_FREEBIND = libc::IP_FREEBIND, off;
    IP IP_TRANSPARENT = libc::IP_TRANSPARENT, off;
    IP IP_BIND_ADDRESS_NO_PORT = libc::IP_BIND_ADDRESS_NO_PORT, off;
    IP IP_LOCAL_PORT_RANGE = IP_LOCAL_PORT_RANGE, off;
    // Changes the priority.
    IP IP_TOS = libc::IP_TOS, off;
    SOCKET SO_PRIORITY = libc::SO_PRIORITY;
    IPV6 IPV6_V6ONLY = libc::IPV6_V6ONLY;
    IPV6 IPV6_TRANSPARENT = libc::IPV6_TRANSPARENT, off;
    IPV6 IPV6_FREEBIND = libc::IPV6_FREEBIND, off;
    TCP TCP_CONGESTION = libc::TCP_CONGESTION;
    TCP TCP_NODELAY = libc::TCP_NODELAY, off;
    TCP TCP_CORK = libc::TCP_CORK, off;
    TCP TCP_KEEPIDLE = libc::TCP_KEEPIDLE;
    TCP TCP_KEEPINTVL = libc::TCP_KEEPINTVL;
    TCP TCP_KEEPCNT = libc::TCP_KEEPCNT;
    TCP TCP_NOTSENT_LOWAT = libc::TCP_NOTSENT_LOWAT;
    TCP TCP_INQ = libc::TCP_INQ, off;
    TCP TCP_MAXSEG = libc::TCP_MAXSEG;
    TCP TCP_DEFER_ACCEPT = libc::TCP_DEFER_ACCEPT, off;
    TCP TCP_FASTOPEN = libc::TCP_FASTOPEN, off;
    TCP TCP_FASTOPEN_KEY = libc::TCP_FASTOPEN_KEY;
    TCP TCP_FASTOPEN_NO_COOKIE = libc::TCP_FASTOPEN_NO_COOKIE, off;
    TCP TCP_FASTOPEN_CONNECT = libc::TCP_FASTOPEN_CONNECT, off;
};

/// The options that Multipath TCP does not have, or accepts and ignores. If one was set, `upgrade` fails.
pub(super) const REFUSED: &[Opt] = options! {
    SOCKET SO_DONTROUTE = libc::SO_DONTROUTE;
    SOCKET SO_BROADCAST = libc::SO_BROADCAST;
    SOCKET SO_OOBINLINE = libc::SO_OOBINLINE;
    SOCKET SO_NO_CHECK = libc::SO_NO_CHECK;
    // Of Unix sockets. Before Linux 6.16, the kernel accepts and ignores these on others.
    SOCKET SO_PASSCRED = libc::SO_PASSCRED;
    SOCKET SO_PASSSEC = libc::SO_PASSSEC;
    SOCKET SO_PASSPIDFD = SO_PASSPIDFD;
    SOCKET SO_ATTACH_FILTER = libc::SO_ATTACH_FILTER;
    SOCKET SO_LOCK_FILTER = libc::SO_LOCK_FILTER;
    // Multipath TCP reports timestamps of received data, and none of sent data.
    SOCKET SO_TIMESTAMPING = libc::SO_TIMESTAMPING;
    SOCKET SO_RXQ_OVFL = libc::SO_RXQ_OVFL;
    SOCKET SO_WIFI_STATUS = libc::SO_WIFI_STATUS;
    SOCKET SO_PEEK_OFF = libc::SO_PEEK_OFF;
    SOCKET SO_NOFCS = libc::SO_NOFCS;
    SOCKET SO_SELECT_ERR_QUEUE = libc::SO_SELECT_ERR_QUEUE;
    SOCKET SO_MAX_PACING_RATE = libc::SO_MAX_PACING_RATE;
    SOCKET SO_ZEROCOPY = libc::SO_ZEROCOPY;
    SOCKET SO_TXTIME = libc::SO_TXTIME;
    SOCKET SO_RESERVE_MEM = libc::SO_RESERVE_MEM;
    SOCKET SO_TXREHASH = libc::SO_TXREHASH;
    SOCKET SO_RCVMARK = libc::SO_RCVMARK;
    SOCKET SO_RCVPRIORITY = SO_RCVPRIORITY;
    IP IP_TTL = libc::IP_TTL;
    IP IP_OPTIONS = libc::IP_OPTIONS;
    IP IP_RECVOPTS = libc::IP_RECVOPTS;
    IP IP_RETOPTS = IP_RETOPTS;
    IP IP_PKTINFO = libc::IP_PKTINFO;
    IP IP_MTU_DISCOVER = libc::IP_MTU_DISCOVER;
    IP IP_RECVERR = libc::IP_RECVERR;
    IP IP_RECVTTL = libc::IP_RECVTTL;
    IP IP_RECVTOS = libc::IP_RECVTOS;
    IP IP_PASSSEC = libc::IP_PASSSEC;
    IP IP_RECVORIGDSTADDR = libc::IP_RECVORIGDSTADDR;
    IP IP_MINTTL = libc::IP_MINTTL;
    IP IP_CHECKSUM = libc::IP_CHECKSUM;
    IP IP_RECVERR_RFC4884 = IP_RECVERR_RFC4884;
    IP IP_MULTICAST_LOOP = libc::IP_MULTICAST_LOOP;
    IP IP_MULTICAST_ALL = libc::IP_MULTICAST_ALL;
    IP IP_UNICAST_IF = libc::IP_UNICAST_IF;
    IPV6 IPV6_2292PKTINFO = libc::IPV6_2292PKTINFO;
    IPV6 IPV6_2292HOPOPTS = libc::IPV6_2292HOPOPTS;
    IPV6 IPV6_2292DSTOPTS = libc::IPV6_2292DSTOPTS;
    IPV6 IPV6_2292RTHDR = libc::IPV6_2292RTHDR;
    IPV6 IPV6_2292HOPLIMIT = libc::IPV6_2292HOPLIMIT;
    IPV6 IPV6_FLOWINFO = libc::IPV6_FLOWINFO;
    IPV6 IPV6_UNICAST_HOPS = libc::IPV6_UNICAST_HOPS;
    IPV6 IPV6_MULTICAST_LOOP = libc::IPV6_MULTICAST_LOOP;
    IPV6 IPV6_MTU_DISCOVER = libc::IPV6_MTU_DISCOVER;
    IPV6 IPV6_RECVERR = libc::IPV6_RECVERR;
    IPV6 IPV6_MULTICAST_ALL = libc::IPV6_MULTICAST_ALL;
    IPV6 IPV6_ROUTER_ALERT_ISOLATE = libc::IPV6_ROUTER_ALERT_ISOLATE;
    IPV6 IPV6_RECVERR_RFC4884 = IPV6_RECVERR_RFC4884;
    IPV6 IPV6_FLOWINFO_SEND = libc::IPV6_FLOWINFO_SEND;
    IPV6 IPV6_RECVPKTINFO = libc::IPV6_RECVPKTINFO;
    IPV6 IPV6_RECVHOPLIMIT = libc::IPV6_RECVHOPLIMIT;
    IPV6 IPV6_RECVHOPOPTS = libc::IPV6_RECVHOPOPTS;
    IPV6 IPV6_HOPOPTS = libc::IPV6_HOPOPTS;
    IPV6 IPV6_RTHDRDSTOPTS = libc::IPV6_RTHDRDSTOPTS;
    IPV6 IPV6_RECVRTHDR = libc::IPV6_RECVRTHDR;
    IPV6 IPV6_RTHDR = libc::IPV6_RTHDR;
    IPV6 IPV6_RECVDSTOPTS = libc::IPV6_RECVDSTOPTS;
    IPV6 IPV6_DSTOPTS = libc::IPV6_DSTOPTS;
    IPV6 IPV6_RECVPATHMTU = libc::IPV6_RECVPATHMTU;
    IPV6 IPV6_DONTFRAG = libc::IPV6_DONTFRAG;
    IPV6 IPV6_RECVTCLASS = libc::IPV6_RECVTCLASS;
    IPV6 IPV6_TCLASS = libc::IPV6_TCLASS;
    IPV6 IPV6_AUTOFLOWLABEL = libc::IPV6_AUTOFLOWLABEL;
    IPV6 IPV6_ADDR_PREFERENCES = libc::IPV6_ADDR_PREFERENCES;
    IPV6 IPV6_MINHOPCOUNT = libc::IPV6_MINHOPCOUNT;
    IPV6 IPV6_RECVORIGDSTADDR = libc::IPV6_RECVORIGDSTADDR;
    IPV6 IPV6_UNICAST_IF = libc::IPV6_UNICAST_IF;
    IPV6 IPV6_RECVFRAGSIZE = libc::IPV6_RECVFRAGSIZE;
    TCP TCP_SYNCNT = libc::TCP_SYNCNT;
    TCP TCP_LINGER2 = libc::TCP_LINGER2;
    TCP TCP_WINDOW_CLAMP = libc::TCP_WINDOW_CLAMP;
    TCP TCP_QUICKACK = libc::TCP_QUICKACK;
    TCP TCP_THIN_LINEAR_TIMEOUTS = libc::TCP_THIN_LINEAR_TIMEOUTS;
    TCP TCP_USER_TIMEOUT = libc::TCP_USER_TIMEOUT;
    TCP TCP_REPAIR = libc::TCP_REPAIR;
    TCP TCP_SAVE_SYN = libc::TCP_SAVE_SYN;
    TCP TCP_ULP = libc::TCP_ULP;
    TCP TCP_TX_DELAY = TCP_TX_DELAY;
    TCP TCP_AO_INFO = TCP_AO_INFO;
    TCP TCP_RTO_MAX_MS = TCP_RTO_MAX_MS;
    TCP TCP_RTO_MIN_US = TCP_RTO_MIN_US;
    TCP TCP_DELACK_MAX_US = TCP_DELACK_MAX_US;
};

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::CARRIED;
    use crate::shared::carry::read;
    use crate::sys::socket;

    /// They are not read of a new socket: a kernel that starts with another value would lose what was set.
    #[test]
    fn what_is_off_at_first_is_zero_on_a_new_socket() {
        let mut count = 0;
        for family in [libc::AF_INET, libc::AF_INET6] {
            let Ok(sock) = socket::new(family, libc::SOCK_STREAM, socket::MPTCP) else {
                return eprintln!("skip: this kernel has no Multipath TCP");
            };
            for opt in CARRIED.iter().filter(|opt| opt.is_off) {
                if let Some((value, _)) = read(sock.as_fd(), opt) {
                    assert!(value.iter().all(|byte| *byte == 0), "{} is {value:?}", opt.name);
                    count += 1;
                }
            }
        }
        assert!(count > 40, "{count} options were read");
    }
}
