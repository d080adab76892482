//! Every option of the four levels that Linux has up to 6.18, with a value that is not its default.

use libc::{IPPROTO_IP as IP, IPPROTO_IPV6 as IPV6, IPPROTO_TCP as TCP, SOL_SOCKET as SOCKET};

/// An option, and the value to which it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOption {
    /// Its name in the kernel's headers.
    pub name: &'static str,
    /// Its level.
    pub level: i32,
    /// Its number.
    pub number: i32,
    /// The value to which it is set.
    pub value: &'static [u8],
}

macro_rules! options {
    ($($level:ident $name:ident $number:literal = $value:expr;)*) => {
        &[$(SocketOption {
            name: stringify!($name),
            level: $level,
            number: $number,
            value: &$value,
        }),*]
    };
}

const fn int(value: i32) -> [u8; 4] {
    value.to_ne_bytes()
}

/// Numbers one after the other, as in small structs.
const fn ints<const COUNT: usize, const SIZE: usize>(numbers: [i32; COUNT]) -> [u8; SIZE] {
    assert!(COUNT * 4 == SIZE);
    let (mut bytes, mut at) = ([0; SIZE], 0);
    while at < SIZE {
        bytes[at] = numbers[at / 4].to_ne_bytes()[at % 4];
        at += 1;
    }
    bytes
}

const ON: [u8; 4] = int(1);
const OFF: [u8; 4] = int(0);
/// Not a descriptor: a kernel that has the option answers EBADF or EINVAL.
const NONE: [u8; 4] = int(-1);
/// Seconds and microseconds, as `struct timeval`.
const fn seconds(seconds: i32, microseconds: i32) -> [u8; 16] {
    ints([seconds, 0, microseconds, 0])
}

/// An IPv6 extension header of eight bytes of padding (PadN).
const PADDING: [u8; 8] = [0, 0, 1, 4, 0, 0, 0, 0];
/// The group 224.0.0.77 on the loopback interface, as `struct ip_mreqn`.
const GROUP: [u8; 12] = [224, 0, 0, 77, 0, 0, 0, 0, 1, 0, 0, 0];
/// The group ff02::77 on the loopback interface, as `struct ipv6_mreq`.
const GROUP_V6: [u8; 20] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77, 1, 0, 0, 0];
/// Zeros: a struct that names nothing.
const EMPTY: [u8; 136] = [0; 136];

/// In <asm-generic/socket.h>.
pub const SOCKET_OPTIONS: &[SocketOption] = options! {
    SOCKET SO_DEBUG 1 = ON;
    SOCKET SO_REUSEADDR 2 = ON;
    SOCKET SO_TYPE 3 = ON;
    SOCKET SO_ERROR 4 = ON;
    SOCKET SO_DONTROUTE 5 = ON;
    SOCKET SO_BROADCAST 6 = ON;
    SOCKET SO_SNDBUF 7 = int(50_000);
    SOCKET SO_RCVBUF 8 = int(50_000);
    SOCKET SO_KEEPALIVE 9 = ON;
    SOCKET SO_OOBINLINE 10 = ON;
    SOCKET SO_NO_CHECK 11 = ON;
    SOCKET SO_PRIORITY 12 = int(5);
    SOCKET SO_LINGER 13 = ints::<2, 8>([1, 7]);
    SOCKET SO_BSDCOMPAT 14 = ON;
    SOCKET SO_REUSEPORT 15 = ON;
    SOCKET SO_PASSCRED 16 = ON;
    SOCKET SO_PEERCRED 17 = ON;
    SOCKET SO_RCVLOWAT 18 = int(300_000);
    SOCKET SO_SNDLOWAT 19 = int(30_000);
    SOCKET SO_RCVTIMEO_OLD 20 = seconds(3, 40_000);
    SOCKET SO_SNDTIMEO_OLD 21 = seconds(4, 80_000);
    SOCKET SO_BINDTODEVICE 25 = *b"lo\0";
    SOCKET SO_ATTACH_FILTER 26 = EMPTY;
    SOCKET SO_DETACH_FILTER 27 = OFF;
    SOCKET SO_PEERNAME 28 = ON;
    SOCKET SO_TIMESTAMP_OLD 29 = ON;
    SOCKET SO_ACCEPTCONN 30 = ON;
    SOCKET SO_PEERSEC 31 = ON;
    SOCKET SO_SNDBUFFORCE 32 = int(64 << 20);
    SOCKET SO_RCVBUFFORCE 33 = int(64 << 20);
    SOCKET SO_PASSSEC 34 = ON;
    SOCKET SO_TIMESTAMPNS_OLD 35 = ON;
    SOCKET SO_MARK 36 = int(77);
    SOCKET SO_TIMESTAMPING_OLD 37 = int((1 << 4) | (1 << 3));
    SOCKET SO_PROTOCOL 38 = ON;
    SOCKET SO_DOMAIN 39 = ON;
    SOCKET SO_RXQ_OVFL 40 = ON;
    SOCKET SO_WIFI_STATUS 41 = ON;
    SOCKET SO_PEEK_OFF 42 = int(3);
    SOCKET SO_NOFCS 43 = ON;
    SOCKET SO_LOCK_FILTER 44 = ON;
    SOCKET SO_SELECT_ERR_QUEUE 45 = ON;
    SOCKET SO_BUSY_POLL 46 = int(50);
    SOCKET SO_MAX_PACING_RATE 47 = int(1_000_000);
    SOCKET SO_BPF_EXTENSIONS 48 = ON;
    SOCKET SO_INCOMING_CPU 49 = int(77);
    SOCKET SO_ATTACH_BPF 50 = NONE;
    SOCKET SO_ATTACH_REUSEPORT_CBPF 51 = EMPTY;
    SOCKET SO_ATTACH_REUSEPORT_EBPF 52 = NONE;
    SOCKET SO_CNX_ADVICE 53 = ON;
    SOCKET SO_MEMINFO 55 = ON;
    SOCKET SO_INCOMING_NAPI_ID 56 = ON;
    SOCKET SO_COOKIE 57 = ON;
    SOCKET SO_PEERGROUPS 59 = ON;
    SOCKET SO_ZEROCOPY 60 = ON;
    SOCKET SO_TXTIME 61 = ints::<2, 8>([libc::CLOCK_TAI, 0]);
    SOCKET SO_BINDTOIFINDEX 62 = ON;
    SOCKET SO_TIMESTAMP_NEW 63 = ON;
    SOCKET SO_TIMESTAMPNS_NEW 64 = ON;
    SOCKET SO_TIMESTAMPING_NEW 65 = int((1 << 4) | (1 << 3));
    SOCKET SO_RCVTIMEO_NEW 66 = seconds(5, 40_000);
    SOCKET SO_SNDTIMEO_NEW 67 = seconds(6, 40_000);
    SOCKET SO_DETACH_REUSEPORT_BPF 68 = OFF;
    SOCKET SO_PREFER_BUSY_POLL 69 = ON;
    SOCKET SO_BUSY_POLL_BUDGET 70 = int(9);
    SOCKET SO_NETNS_COOKIE 71 = ON;
    SOCKET SO_BUF_LOCK 72 = int(3);
    SOCKET SO_RESERVE_MEM 73 = int(65_536);
    SOCKET SO_TXREHASH 74 = OFF;
    SOCKET SO_RCVMARK 75 = ON;
    SOCKET SO_PASSPIDFD 76 = ON;
    SOCKET SO_PEERPIDFD 77 = ON;
    SOCKET SO_DEVMEM_DONTNEED 80 = EMPTY;
    SOCKET SO_RCVPRIORITY 82 = ON;
    SOCKET SO_PASSRIGHTS 83 = OFF;
    SOCKET SO_INQ 84 = ON;
};

/// In <linux/tcp.h>.
pub const TCP_OPTIONS: &[SocketOption] = options! {
    TCP TCP_NODELAY 1 = ON;
    TCP TCP_MAXSEG 2 = int(1000);
    TCP TCP_CORK 3 = ON;
    TCP TCP_KEEPIDLE 4 = int(11);
    TCP TCP_KEEPINTVL 5 = int(12);
    TCP TCP_KEEPCNT 6 = int(13);
    TCP TCP_SYNCNT 7 = int(3);
    TCP TCP_LINGER2 8 = int(20);
    TCP TCP_DEFER_ACCEPT 9 = int(5);
    TCP TCP_WINDOW_CLAMP 10 = int(20_000);
    TCP TCP_INFO 11 = ON;
    TCP TCP_QUICKACK 12 = OFF;
    TCP TCP_CONGESTION 13 = *b"cubic";
    TCP TCP_MD5SIG 14 = EMPTY;
    TCP TCP_THIN_LINEAR_TIMEOUTS 16 = ON;
    TCP TCP_THIN_DUPACK 17 = OFF;
    TCP TCP_USER_TIMEOUT 18 = int(5000);
    TCP TCP_REPAIR 19 = ON;
    TCP TCP_REPAIR_QUEUE 20 = ON;
    TCP TCP_QUEUE_SEQ 21 = ON;
    TCP TCP_REPAIR_OPTIONS 22 = EMPTY;
    TCP TCP_FASTOPEN 23 = int(16);
    TCP TCP_TIMESTAMP 24 = int(1000);
    TCP TCP_NOTSENT_LOWAT 25 = int(16_384);
    TCP TCP_CC_INFO 26 = ON;
    TCP TCP_SAVE_SYN 27 = ON;
    TCP TCP_SAVED_SYN 28 = ON;
    TCP TCP_REPAIR_WINDOW 29 = EMPTY;
    TCP TCP_FASTOPEN_CONNECT 30 = ON;
    TCP TCP_ULP 31 = *b"tls";
    TCP TCP_MD5SIG_EXT 32 = EMPTY;
    TCP TCP_FASTOPEN_KEY 33 = [7; 16];
    TCP TCP_FASTOPEN_NO_COOKIE 34 = ON;
    TCP TCP_ZEROCOPY_RECEIVE 35 = ON;
    TCP TCP_INQ 36 = ON;
    TCP TCP_TX_DELAY 37 = int(100);
    TCP TCP_AO_ADD_KEY 38 = EMPTY;
    TCP TCP_AO_DEL_KEY 39 = EMPTY;
    TCP TCP_AO_INFO 40 = EMPTY;
    TCP TCP_AO_GET_KEYS 41 = EMPTY;
    TCP TCP_AO_REPAIR 42 = EMPTY;
    TCP TCP_IS_MPTCP 43 = ON;
    TCP TCP_RTO_MAX_MS 44 = int(5000);
    TCP TCP_RTO_MIN_US 45 = int(20_000);
    TCP TCP_DELACK_MAX_US 46 = int(20_000);
};

/// In <linux/in.h> and <linux/netfilter_ipv4.h>.
pub const IP_OPTIONS: &[SocketOption] = options! {
    IP IP_TOS 1 = int(0x10);
    IP IP_TTL 2 = int(9);
    IP IP_HDRINCL 3 = ON;
    IP IP_OPTIONS 4 = [1, 1, 1, 0];
    IP IP_ROUTER_ALERT 5 = ON;
    IP IP_RECVOPTS 6 = ON;
    IP IP_RETOPTS 7 = ON;
    IP IP_PKTINFO 8 = ON;
    IP IP_PKTOPTIONS 9 = ON;
    IP IP_MTU_DISCOVER 10 = int(2);
    IP IP_RECVERR 11 = ON;
    IP IP_RECVTTL 12 = ON;
    IP IP_RECVTOS 13 = ON;
    IP IP_MTU 14 = ON;
    IP IP_FREEBIND 15 = ON;
    IP IP_IPSEC_POLICY 16 = EMPTY;
    IP IP_XFRM_POLICY 17 = EMPTY;
    IP IP_PASSSEC 18 = ON;
    IP IP_TRANSPARENT 19 = ON;
    IP IP_RECVORIGDSTADDR 20 = ON;
    IP IP_MINTTL 21 = int(5);
    IP IP_NODEFRAG 22 = ON;
    IP IP_CHECKSUM 23 = ON;
    IP IP_BIND_ADDRESS_NO_PORT 24 = ON;
    IP IP_RECVFRAGSIZE 25 = ON;
    IP IP_RECVERR_RFC4884 26 = ON;
    IP IP_MULTICAST_IF 32 = [127, 0, 0, 1];
    IP IP_MULTICAST_TTL 33 = int(9);
    IP IP_MULTICAST_LOOP 34 = OFF;
    IP IP_ADD_MEMBERSHIP 35 = GROUP;
    IP IP_DROP_MEMBERSHIP 36 = GROUP;
    IP IP_UNBLOCK_SOURCE 37 = GROUP;
    IP IP_BLOCK_SOURCE 38 = GROUP;
    IP IP_ADD_SOURCE_MEMBERSHIP 39 = GROUP;
    IP IP_DROP_SOURCE_MEMBERSHIP 40 = GROUP;
    IP IP_MSFILTER 41 = EMPTY;
    IP MCAST_JOIN_GROUP 42 = EMPTY;
    IP MCAST_BLOCK_SOURCE 43 = EMPTY;
    IP MCAST_UNBLOCK_SOURCE 44 = EMPTY;
    IP MCAST_LEAVE_GROUP 45 = EMPTY;
    IP MCAST_JOIN_SOURCE_GROUP 46 = EMPTY;
    IP MCAST_LEAVE_SOURCE_GROUP 47 = EMPTY;
    IP MCAST_MSFILTER 48 = EMPTY;
    IP IP_MULTICAST_ALL 49 = OFF;
    IP IP_UNICAST_IF 50 = 1i32.to_be_bytes();
    IP IP_LOCAL_PORT_RANGE 51 = int(((50_000 << 16) | 40_000) as u32 as i32);
    IP IP_PROTOCOL 52 = ON;
    IP SO_ORIGINAL_DST 80 = EMPTY;
};

/// In <linux/in6.h> and <linux/netfilter_ipv6/ip6_tables.h>.
pub const IPV6_OPTIONS: &[SocketOption] = options! {
    IPV6 IPV6_ADDRFORM 1 = int(libc::AF_INET);
    IPV6 IPV6_2292PKTINFO 2 = ON;
    IPV6 IPV6_2292HOPOPTS 3 = ON;
    IPV6 IPV6_2292DSTOPTS 4 = ON;
    IPV6 IPV6_2292RTHDR 5 = ON;
    IPV6 IPV6_2292PKTOPTIONS 6 = EMPTY;
    IPV6 IPV6_CHECKSUM 7 = ON;
    IPV6 IPV6_2292HOPLIMIT 8 = ON;
    IPV6 IPV6_NEXTHOP 9 = EMPTY;
    IPV6 IPV6_AUTHHDR 10 = ON;
    IPV6 IPV6_FLOWINFO 11 = ON;
    IPV6 IPV6_UNICAST_HOPS 16 = int(9);
    IPV6 IPV6_MULTICAST_IF 17 = ON;
    IPV6 IPV6_MULTICAST_HOPS 18 = int(9);
    IPV6 IPV6_MULTICAST_LOOP 19 = OFF;
    IPV6 IPV6_ADD_MEMBERSHIP 20 = GROUP_V6;
    IPV6 IPV6_DROP_MEMBERSHIP 21 = GROUP_V6;
    IPV6 IPV6_ROUTER_ALERT 22 = ON;
    IPV6 IPV6_MTU_DISCOVER 23 = int(2);
    IPV6 IPV6_MTU 24 = int(1400);
    IPV6 IPV6_RECVERR 25 = ON;
    IPV6 IPV6_V6ONLY 26 = ON;
    IPV6 IPV6_JOIN_ANYCAST 27 = GROUP_V6;
    IPV6 IPV6_LEAVE_ANYCAST 28 = GROUP_V6;
    IPV6 IPV6_MULTICAST_ALL 29 = OFF;
    IPV6 IPV6_ROUTER_ALERT_ISOLATE 30 = ON;
    IPV6 IPV6_RECVERR_RFC4884 31 = ON;
    IPV6 IPV6_FLOWLABEL_MGR 32 = EMPTY;
    IPV6 IPV6_FLOWINFO_SEND 33 = ON;
    IPV6 IPV6_IPSEC_POLICY 34 = EMPTY;
    IPV6 IPV6_XFRM_POLICY 35 = EMPTY;
    IPV6 IPV6_HDRINCL 36 = ON;
    IPV6 MCAST_JOIN_GROUP 42 = EMPTY;
    IPV6 MCAST_BLOCK_SOURCE 43 = EMPTY;
    IPV6 MCAST_UNBLOCK_SOURCE 44 = EMPTY;
    IPV6 MCAST_LEAVE_GROUP 45 = EMPTY;
    IPV6 MCAST_JOIN_SOURCE_GROUP 46 = EMPTY;
    IPV6 MCAST_LEAVE_SOURCE_GROUP 47 = EMPTY;
    IPV6 MCAST_MSFILTER 48 = EMPTY;
    IPV6 IPV6_RECVPKTINFO 49 = ON;
    IPV6 IPV6_PKTINFO 50 = [0; 20];
    IPV6 IPV6_RECVHOPLIMIT 51 = ON;
    IPV6 IPV6_HOPLIMIT 52 = ON;
    IPV6 IPV6_RECVHOPOPTS 53 = ON;
    IPV6 IPV6_HOPOPTS 54 = PADDING;
    IPV6 IPV6_RTHDRDSTOPTS 55 = PADDING;
    IPV6 IPV6_RECVRTHDR 56 = ON;
    IPV6 IPV6_RTHDR 57 = EMPTY;
    IPV6 IPV6_RECVDSTOPTS 58 = ON;
    IPV6 IPV6_DSTOPTS 59 = PADDING;
    IPV6 IPV6_RECVPATHMTU 60 = ON;
    IPV6 IPV6_PATHMTU 61 = ON;
    IPV6 IPV6_DONTFRAG 62 = ON;
    IPV6 IPV6_USE_MIN_MTU 63 = ON;
    IPV6 IPV6_RECVTCLASS 66 = ON;
    IPV6 IPV6_TCLASS 67 = int(0x20);
    IPV6 IPV6_AUTOFLOWLABEL 70 = OFF;
    IPV6 IPV6_ADDR_PREFERENCES 72 = ON;
    IPV6 IPV6_MINHOPCOUNT 73 = int(5);
    IPV6 IPV6_RECVORIGDSTADDR 74 = ON;
    IPV6 IPV6_TRANSPARENT 75 = ON;
    IPV6 IPV6_UNICAST_IF 76 = 1i32.to_be_bytes();
    IPV6 IPV6_RECVFRAGSIZE 77 = ON;
    IPV6 IPV6_FREEBIND 78 = ON;
    IPV6 IP6T_SO_ORIGINAL_DST 80 = EMPTY;
};
