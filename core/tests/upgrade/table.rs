//! What can be set on an unconnected TCP socket, written independently of the library's lists.

use libc::{IPPROTO_IP as IP, IPPROTO_IPV6 as IPV6, IPPROTO_TCP as TCP, SOL_SOCKET as SOCKET};

/// An option and a value that is not its default.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) level: i32,
    pub(crate) number: i32,
    pub(crate) value: &'static [u8],
}

impl Case {
    /// Whether sockets of this family have the option.
    pub(crate) fn is_of(&self, family: i32) -> bool {
        self.level != IPV6 || family == libc::AF_INET6
    }
}

macro_rules! cases {
    ($($level:ident $name:ident $number:literal = $value:expr;)*) => {
        &[$(Case { name: stringify!($name), level: $level, number: $number, value: &$value }),*]
    };
}

const fn int(value: i32) -> [u8; 4] {
    value.to_ne_bytes()
}

/// The first half of `struct timeval` and `struct linger`, and the second.
const fn two<const N: usize>(first: i32, second: i32) -> [u8; N] {
    let (mut bytes, first, second) = ([0; N], int(first), int(second));
    let mut at = 0;
    while at < 4 {
        bytes[at] = first[at];
        bytes[N / 2 + at] = second[at];
        at += 1;
    }
    bytes
}

const ON: [u8; 4] = int(1);
const OFF: [u8; 4] = int(0);
/// An IPv6 extension header of eight bytes of padding (PadN).
const PADDING: [u8; 8] = [0, 0, 1, 4, 0, 0, 0, 0];

/// Numbers as in <asm-generic/socket.h>, <linux/in.h>, <linux/in6.h>, <linux/tcp.h>.
pub(crate) const CARRIED: &[Case] = cases! {
    SOCKET SO_DEBUG 1 = ON;
    SOCKET SO_REUSEADDR 2 = ON;
    SOCKET SO_SNDBUF 7 = int(50_000);
    SOCKET SO_RCVBUF 8 = int(50_000);
    SOCKET SO_SNDBUFFORCE 32 = int(64 << 20);
    SOCKET SO_RCVBUFFORCE 33 = int(64 << 20);
    SOCKET SO_KEEPALIVE 9 = ON;
    SOCKET SO_PRIORITY 12 = int(5);
    SOCKET SO_LINGER 13 = two::<8>(1, 7);
    SOCKET SO_REUSEPORT 15 = ON;
    SOCKET SO_RCVLOWAT 18 = int(300_000);
    SOCKET SO_RCVTIMEO 20 = two::<16>(3, 40_000);
    SOCKET SO_SNDTIMEO 21 = two::<16>(4, 80_000);
    SOCKET SO_BINDTODEVICE 25 = *b"lo\0";
    SOCKET SO_TIMESTAMP 29 = ON;
    SOCKET SO_TIMESTAMPNS 35 = ON;
    SOCKET SO_MARK 36 = int(77);
    SOCKET SO_BUSY_POLL 46 = int(50);
    SOCKET SO_INCOMING_CPU 49 = int(1);
    SOCKET SO_BINDTOIFINDEX 62 = int(1);
    SOCKET SO_TIMESTAMP_NEW 63 = ON;
    SOCKET SO_TIMESTAMPNS_NEW 64 = ON;
    SOCKET SO_RCVTIMEO_NEW 66 = two::<16>(5, 40_000);
    SOCKET SO_SNDTIMEO_NEW 67 = two::<16>(6, 40_000);
    SOCKET SO_PREFER_BUSY_POLL 69 = ON;
    SOCKET SO_BUF_LOCK 72 = int(3);
    IP IP_TOS 1 = int(0x10);
    IP IP_FREEBIND 15 = ON;
    IP IP_TRANSPARENT 19 = ON;
    IP IP_BIND_ADDRESS_NO_PORT 24 = ON;
    IP IP_LOCAL_PORT_RANGE 51 = int(((50_000 << 16) | 40_000) as u32 as i32);
    IPV6 IPV6_V6ONLY 26 = ON;
    IPV6 IPV6_TRANSPARENT 75 = ON;
    IPV6 IPV6_FREEBIND 78 = ON;
    TCP TCP_NODELAY 1 = ON;
    TCP TCP_MAXSEG 2 = int(1000);
    TCP TCP_CORK 3 = ON;
    TCP TCP_KEEPIDLE 4 = int(11);
    TCP TCP_KEEPINTVL 5 = int(12);
    TCP TCP_KEEPCNT 6 = int(13);
    TCP TCP_DEFER_ACCEPT 9 = int(5);
    TCP TCP_CONGESTION 13 = *b"cubic";
    TCP TCP_FASTOPEN 23 = int(16);
    TCP TCP_NOTSENT_LOWAT 25 = int(16_384);
    TCP TCP_FASTOPEN_CONNECT 30 = ON;
    TCP TCP_FASTOPEN_KEY 33 = [7; 16];
    TCP TCP_FASTOPEN_NO_COOKIE 34 = ON;
    TCP TCP_INQ 36 = ON;
};

/// Options that need something which not every machine has: SO_RESERVE_MEM (a memory control
/// group), TCP_AO_INFO (the kernel's configuration), TCP_ULP (a connection).
pub(crate) const REFUSED: &[Case] = cases! {
    SOCKET SO_DONTROUTE 5 = ON;
    SOCKET SO_BROADCAST 6 = ON;
    SOCKET SO_OOBINLINE 10 = ON;
    SOCKET SO_NO_CHECK 11 = ON;
    SOCKET SO_TIMESTAMPING 37 = int((1 << 4) | (1 << 3));
    SOCKET SO_RXQ_OVFL 40 = ON;
    SOCKET SO_WIFI_STATUS 41 = ON;
    SOCKET SO_PEEK_OFF 42 = int(3);
    SOCKET SO_NOFCS 43 = ON;
    SOCKET SO_LOCK_FILTER 44 = ON;
    SOCKET SO_SELECT_ERR_QUEUE 45 = ON;
    SOCKET SO_MAX_PACING_RATE 47 = int(1_000_000);
    SOCKET SO_ZEROCOPY 60 = ON;
    SOCKET SO_TXTIME 61 = two::<8>(libc::CLOCK_TAI, 0);
    SOCKET SO_TXREHASH 74 = OFF;
    SOCKET SO_RCVMARK 75 = ON;
    SOCKET SO_RCVPRIORITY 82 = ON;
    IP IP_TTL 2 = int(9);
    IP IP_OPTIONS 4 = [1, 1, 1, 0];
    IP IP_RECVOPTS 6 = ON;
    IP IP_RETOPTS 7 = ON;
    IP IP_PKTINFO 8 = ON;
    IP IP_MTU_DISCOVER 10 = int(2);
    IP IP_RECVERR 11 = ON;
    IP IP_RECVTTL 12 = ON;
    IP IP_RECVTOS 13 = ON;
    IP IP_PASSSEC 18 = ON;
    IP IP_RECVORIGDSTADDR 20 = ON;
    IP IP_MINTTL 21 = int(5);
    IP IP_CHECKSUM 23 = ON;
    IP IP_RECVERR_RFC4884 26 = ON;
    IP IP_MULTICAST_LOOP 34 = OFF;
    IP IP_MULTICAST_ALL 49 = OFF;
    IP IP_UNICAST_IF 50 = 1i32.to_be_bytes();
    IPV6 IPV6_2292PKTINFO 2 = ON;
    IPV6 IPV6_2292HOPOPTS 3 = ON;
    IPV6 IPV6_2292DSTOPTS 4 = ON;
    IPV6 IPV6_2292RTHDR 5 = ON;
    IPV6 IPV6_2292HOPLIMIT 8 = ON;
    IPV6 IPV6_FLOWINFO 11 = ON;
    IPV6 IPV6_UNICAST_HOPS 16 = int(9);
    IPV6 IPV6_MULTICAST_LOOP 19 = OFF;
    IPV6 IPV6_MTU_DISCOVER 23 = int(2);
    IPV6 IPV6_RECVERR 25 = ON;
    IPV6 IPV6_MULTICAST_ALL 29 = OFF;
    IPV6 IPV6_ROUTER_ALERT_ISOLATE 30 = ON;
    IPV6 IPV6_RECVERR_RFC4884 31 = ON;
    IPV6 IPV6_FLOWINFO_SEND 33 = ON;
    IPV6 IPV6_RECVPKTINFO 49 = ON;
    IPV6 IPV6_RECVHOPLIMIT 51 = ON;
    IPV6 IPV6_RECVHOPOPTS 53 = ON;
    IPV6 IPV6_HOPOPTS 54 = PADDING;
    IPV6 IPV6_RTHDRDSTOPTS 55 = PADDING;
    IPV6 IPV6_RECVRTHDR 56 = ON;
    IPV6 IPV6_RECVDSTOPTS 58 = ON;
    IPV6 IPV6_DSTOPTS 59 = PADDING;
    IPV6 IPV6_RECVPATHMTU 60 = ON;
    IPV6 IPV6_DONTFRAG 62 = ON;
    IPV6 IPV6_RECVTCLASS 66 = ON;
    IPV6 IPV6_TCLASS 67 = int(0x20);
    IPV6 IPV6_AUTOFLOWLABEL 70 = OFF;
    IPV6 IPV6_ADDR_PREFERENCES 72 = ON;
    IPV6 IPV6_MINHOPCOUNT 73 = int(5);
    IPV6 IPV6_RECVORIGDSTADDR 74 = ON;
    IPV6 IPV6_UNICAST_IF 76 = 1i32.to_be_bytes();
    IPV6 IPV6_RECVFRAGSIZE 77 = ON;
    TCP TCP_SYNCNT 7 = int(3);
    TCP TCP_LINGER2 8 = int(20);
    TCP TCP_WINDOW_CLAMP 10 = int(20_000);
    TCP TCP_QUICKACK 12 = OFF;
    TCP TCP_THIN_LINEAR_TIMEOUTS 16 = ON;
    TCP TCP_USER_TIMEOUT 18 = int(5000);
    TCP TCP_REPAIR 19 = ON;
    TCP TCP_SAVE_SYN 27 = ON;
    TCP TCP_TX_DELAY 37 = int(100);
    TCP TCP_RTO_MAX_MS 44 = int(5000);
    TCP TCP_RTO_MIN_US 45 = int(20_000);
    TCP TCP_DELACK_MAX_US 46 = int(20_000);
};
