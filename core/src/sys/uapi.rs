//! The kernel's numbers and layouts, as in `include/uapi/linux/{mptcp,mptcp_pm,inet_diag,tcp}.h`.
//! They are declared here because distributions ship headers that are older than the kernels that
//! run.
//!
//! Names are the kernel's. Each layout is checked at compile time.

#![allow(non_camel_case_types)] // the kernel's names

use std::mem::{offset_of, size_of};

pub(crate) const SOL_MPTCP: i32 = 284;
pub(crate) const MPTCP_INFO: i32 = 1;
pub(crate) const MPTCP_FULL_INFO: i32 = 4;
pub(crate) const SO_NETNS_COOKIE: i32 = 71;
/// In `include/uapi/linux/in.h`.
pub(crate) const IP_LOCAL_PORT_RANGE: i32 = 51;

pub(crate) const F_SETSIG: i32 = 10;
pub(crate) const F_GETSIG: i32 = 11;
pub(crate) const F_SETOWN_EX: i32 = 15;
pub(crate) const F_GETOWN_EX: i32 = 16;

/// `struct f_owner_ex` in `include/uapi/asm-generic/fcntl.h`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct f_owner_ex {
    pub(crate) kind: i32,
    pub(crate) pid: i32,
}

/// In `include/uapi/linux/sockios.h`.
pub(crate) const SIOCGSKNS: u32 = 0x894c;
pub(crate) const SIOCGIFNAME: u32 = 0x8910;
pub(crate) const SIOCGIFFLAGS: u32 = 0x8913;

/// `struct ifreq` in `include/uapi/linux/if.h`, whose union holds the index here.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct ifreq {
    pub(crate) name: [u8; 16],
    pub(crate) index: u32,
    pub(crate) rest: [u32; 5],
}

// The kernel's structure is shorter on 32-bit processors.
const _: () = assert!(size_of::<ifreq>() == 40 && offset_of!(ifreq, index) == 16);

/// `enum` in `include/net/tcp_states.h`.
pub(crate) const TCP_ESTABLISHED: u8 = 1;
pub(crate) const TCP_SYN_SENT: u8 = 2;
pub(crate) const TCP_SYN_RECV: u8 = 3;
pub(crate) const TCP_CLOSE_WAIT: u8 = 8;
/// In `tcpi_options`.
pub(crate) const TCPI_OPT_TIMESTAMPS: u8 = 1;

/// `struct mptcp_info`. An older kernel writes less of it.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct mptcp_info {
    pub(crate) mptcpi_subflows: u8,
    pub(crate) mptcpi_add_addr_signal: u8,
    pub(crate) mptcpi_add_addr_accepted: u8,
    pub(crate) mptcpi_subflows_max: u8,
    pub(crate) mptcpi_add_addr_signal_max: u8,
    pub(crate) mptcpi_add_addr_accepted_max: u8,
    pub(crate) mptcpi_flags: u32,
    pub(crate) mptcpi_token: u32,
    pub(crate) mptcpi_write_seq: u64,
    pub(crate) mptcpi_snd_una: u64,
    pub(crate) mptcpi_rcv_nxt: u64,
    pub(crate) mptcpi_local_addr_used: u8,
    pub(crate) mptcpi_local_addr_max: u8,
    pub(crate) mptcpi_csum_enabled: u8,
    pub(crate) mptcpi_retransmits: u32,
    pub(crate) mptcpi_bytes_retrans: u64,
    pub(crate) mptcpi_bytes_sent: u64,
    pub(crate) mptcpi_bytes_received: u64,
    pub(crate) mptcpi_bytes_acked: u64,
    pub(crate) mptcpi_subflows_total: u8,
    pub(crate) mptcpi_endp_laminar_max: u8,
    pub(crate) reserved: [u8; 2],
    pub(crate) mptcpi_last_data_sent: u32,
    pub(crate) mptcpi_last_data_recv: u32,
    pub(crate) mptcpi_last_ack_recv: u32,
}
const _: () = assert!(
    size_of::<mptcp_info>() == 96
        && offset_of!(mptcp_info, mptcpi_flags) == 8
        && offset_of!(mptcp_info, mptcpi_token) == 12
        && offset_of!(mptcp_info, mptcpi_write_seq) == 16
        && offset_of!(mptcp_info, mptcpi_local_addr_used) == 40
        && offset_of!(mptcp_info, mptcpi_retransmits) == 44
        && offset_of!(mptcp_info, mptcpi_bytes_retrans) == 48
        && offset_of!(mptcp_info, mptcpi_subflows_total) == 80
        && offset_of!(mptcp_info, mptcpi_last_data_sent) == 84
);

/// `struct tcp_info`, up to the last field of Linux 5.4, which every kernel with Multipath TCP has.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct tcp_info {
    pub(crate) tcpi_state: u8,
    pub(crate) tcpi_ca_state: u8,
    pub(crate) tcpi_retransmits: u8,
    pub(crate) tcpi_probes: u8,
    pub(crate) tcpi_backoff: u8,
    pub(crate) tcpi_options: u8,
    pub(crate) tcpi_wscale: u8,
    pub(crate) tcpi_bits: u8,
    pub(crate) tcpi_rto: u32,
    pub(crate) tcpi_ato: u32,
    pub(crate) tcpi_snd_mss: u32,
    pub(crate) tcpi_rcv_mss: u32,
    pub(crate) tcpi_unacked: u32,
    pub(crate) tcpi_sacked: u32,
    pub(crate) tcpi_lost: u32,
    pub(crate) tcpi_retrans: u32,
    pub(crate) tcpi_fackets: u32,
    pub(crate) tcpi_last_data_sent: u32,
    pub(crate) tcpi_last_ack_sent: u32,
    pub(crate) tcpi_last_data_recv: u32,
    pub(crate) tcpi_last_ack_recv: u32,
    pub(crate) tcpi_pmtu: u32,
    pub(crate) tcpi_rcv_ssthresh: u32,
    pub(crate) tcpi_rtt: u32,
    pub(crate) tcpi_rttvar: u32,
    pub(crate) tcpi_snd_ssthresh: u32,
    pub(crate) tcpi_snd_cwnd: u32,
    pub(crate) tcpi_advmss: u32,
    pub(crate) tcpi_reordering: u32,
    pub(crate) tcpi_rcv_rtt: u32,
    pub(crate) tcpi_rcv_space: u32,
    pub(crate) tcpi_total_retrans: u32,
    pub(crate) tcpi_pacing_rate: u64,
    pub(crate) tcpi_max_pacing_rate: u64,
    pub(crate) tcpi_bytes_acked: u64,
    pub(crate) tcpi_bytes_received: u64,
    pub(crate) tcpi_segs_out: u32,
    pub(crate) tcpi_segs_in: u32,
    pub(crate) tcpi_notsent_bytes: u32,
    pub(crate) tcpi_min_rtt: u32,
    pub(crate) tcpi_data_segs_in: u32,
    pub(crate) tcpi_data_segs_out: u32,
    pub(crate) tcpi_delivery_rate: u64,
    pub(crate) tcpi_busy_time: u64,
    pub(crate) tcpi_rwnd_limited: u64,
    pub(crate) tcpi_sndbuf_limited: u64,
    pub(crate) tcpi_delivered: u32,
    pub(crate) tcpi_delivered_ce: u32,
    pub(crate) tcpi_bytes_sent: u64,
    pub(crate) tcpi_bytes_retrans: u64,
    pub(crate) tcpi_dsack_dups: u32,
    pub(crate) tcpi_reord_seen: u32,
}
const _: () = assert!(
    size_of::<tcp_info>() == 224
        && offset_of!(tcp_info, tcpi_rto) == 8
        && offset_of!(tcp_info, tcpi_rtt) == 68
        && offset_of!(tcp_info, tcpi_pacing_rate) == 104
        && offset_of!(tcp_info, tcpi_segs_out) == 136
        && offset_of!(tcp_info, tcpi_delivery_rate) == 160
        && offset_of!(tcp_info, tcpi_bytes_sent) == 200
);

/// `struct sockaddr_storage`, as bytes.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(crate) struct sockaddr_storage(pub(crate) [u8; 128]);

/// `struct mptcp_subflow_addrs`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct mptcp_subflow_addrs {
    pub(crate) local: sockaddr_storage,
    pub(crate) remote: sockaddr_storage,
}
const _: () = assert!(size_of::<mptcp_subflow_addrs>() == 256);

/// `struct mptcp_subflow_info`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct mptcp_subflow_info {
    pub(crate) id: u32,
    pub(crate) addrs: mptcp_subflow_addrs,
}
const _: () =
    assert!(size_of::<mptcp_subflow_info>() == 264 && offset_of!(mptcp_subflow_info, addrs) == 8);

/// `struct mptcp_full_info` (Linux 6.5).
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct mptcp_full_info {
    pub(crate) size_tcpinfo_kernel: u32,
    pub(crate) size_tcpinfo_user: u32,
    pub(crate) size_sfinfo_kernel: u32,
    pub(crate) size_sfinfo_user: u32,
    pub(crate) num_subflows: u32,
    pub(crate) size_arrays_user: u32,
    pub(crate) subflow_info: u64,
    pub(crate) tcp_info: u64,
    pub(crate) mptcp_info: mptcp_info,
}
const _: () = assert!(
    size_of::<mptcp_full_info>() == 136
        && offset_of!(mptcp_full_info, subflow_info) == 24
        && offset_of!(mptcp_full_info, mptcp_info) == 40
);

/// From `<linux/netlink.h>` and `<linux/genetlink.h>`, what libc lacks.
pub(crate) const SOL_NETLINK: i32 = 270;
pub(crate) const NETLINK_ADD_MEMBERSHIP: i32 = 1;
pub(crate) const NETLINK_CAP_ACK: i32 = 10;
pub(crate) const NETLINK_EXT_ACK: i32 = 11;
pub(crate) const NETLINK_GET_STRICT_CHK: i32 = 12;
pub(crate) const NLMSGERR_ATTR_MSG: u16 = 1;
pub(crate) const NLA_TYPE_MASK: u16 = 0x3fff;
pub(crate) const NLA_F_NESTED: u16 = 0x8000;

/// The family of generic netlink itself.
pub(crate) mod ctrl {
    pub(crate) const FAMILY: u16 = 0x10;
    pub(crate) const CMD_GETFAMILY: u8 = 3;
    pub(crate) const ATTR_FAMILY_ID: u16 = 1;
    pub(crate) const ATTR_FAMILY_NAME: u16 = 2;
    pub(crate) const ATTR_OPS: u16 = 6;
    pub(crate) const ATTR_MCAST_GROUPS: u16 = 7;
    pub(crate) const ATTR_OP_ID: u16 = 1;
    pub(crate) const ATTR_MCAST_GRP_NAME: u16 = 1;
    pub(crate) const ATTR_MCAST_GRP_ID: u16 = 2;
}

/// `include/uapi/linux/mptcp_pm.h`: the family `mptcp_pm`.
pub(crate) mod pm {
    pub(crate) const NAME: &str = "mptcp_pm";
    pub(crate) const EVENTS_GROUP: &str = "mptcp_pm_events";
    pub(crate) const VERSION: u8 = 1;

    pub(crate) const CMD_ADD_ADDR: u8 = 1;
    pub(crate) const CMD_DEL_ADDR: u8 = 2;
    pub(crate) const CMD_GET_ADDR: u8 = 3;
    pub(crate) const CMD_FLUSH_ADDRS: u8 = 4;
    pub(crate) const CMD_SET_LIMITS: u8 = 5;
    pub(crate) const CMD_GET_LIMITS: u8 = 6;
    pub(crate) const CMD_SET_FLAGS: u8 = 7;
    pub(crate) const CMD_ANNOUNCE: u8 = 8;
    pub(crate) const CMD_REMOVE: u8 = 9;
    pub(crate) const CMD_SUBFLOW_CREATE: u8 = 10;
    pub(crate) const CMD_SUBFLOW_DESTROY: u8 = 11;

    pub(crate) const ATTR_ADDR: u16 = 1;
    pub(crate) const ATTR_RCV_ADD_ADDRS: u16 = 2;
    pub(crate) const ATTR_SUBFLOWS: u16 = 3;
    pub(crate) const ATTR_TOKEN: u16 = 4;
    pub(crate) const ATTR_LOC_ID: u16 = 5;
    pub(crate) const ATTR_ADDR_REMOTE: u16 = 6;

    pub(crate) const ADDR_FAMILY: u16 = 1;
    pub(crate) const ADDR_ID: u16 = 2;
    pub(crate) const ADDR_ADDR4: u16 = 3;
    pub(crate) const ADDR_ADDR6: u16 = 4;
    pub(crate) const ADDR_PORT: u16 = 5;
    pub(crate) const ADDR_FLAGS: u16 = 6;
    pub(crate) const ADDR_IF_IDX: u16 = 7;

    pub(crate) const FLAG_SIGNAL: u32 = 1;
    pub(crate) const FLAG_SUBFLOW: u32 = 2;
    pub(crate) const FLAG_BACKUP: u32 = 4;
    pub(crate) const FLAG_FULLMESH: u32 = 8;
    pub(crate) const FLAG_IMPLICIT: u32 = 16;
    pub(crate) const FLAG_LAMINAR: u32 = 32;

    pub(crate) const EVENT_CREATED: u8 = 1;
    pub(crate) const EVENT_ESTABLISHED: u8 = 2;
    pub(crate) const EVENT_CLOSED: u8 = 3;
    pub(crate) const EVENT_ANNOUNCED: u8 = 6;
    pub(crate) const EVENT_REMOVED: u8 = 7;
    pub(crate) const EVENT_SUB_ESTABLISHED: u8 = 10;
    pub(crate) const EVENT_SUB_CLOSED: u8 = 11;
    pub(crate) const EVENT_SUB_PRIORITY: u8 = 13;
    pub(crate) const EVENT_LISTENER_CREATED: u8 = 15;
    pub(crate) const EVENT_LISTENER_CLOSED: u8 = 16;

    pub(crate) const EVENT_ATTR_TOKEN: u16 = 1;
    pub(crate) const EVENT_ATTR_FAMILY: u16 = 2;
    pub(crate) const EVENT_ATTR_LOC_ID: u16 = 3;
    pub(crate) const EVENT_ATTR_REM_ID: u16 = 4;
    pub(crate) const EVENT_ATTR_SADDR4: u16 = 5;
    pub(crate) const EVENT_ATTR_SADDR6: u16 = 6;
    pub(crate) const EVENT_ATTR_DADDR4: u16 = 7;
    pub(crate) const EVENT_ATTR_DADDR6: u16 = 8;
    pub(crate) const EVENT_ATTR_SPORT: u16 = 9;
    pub(crate) const EVENT_ATTR_DPORT: u16 = 10;
    pub(crate) const EVENT_ATTR_BACKUP: u16 = 11;
    pub(crate) const EVENT_ATTR_ERROR: u16 = 12;
    pub(crate) const EVENT_ATTR_FLAGS: u16 = 13;
    pub(crate) const EVENT_ATTR_TIMEOUT: u16 = 14;
    pub(crate) const EVENT_ATTR_IF_IDX: u16 = 15;
    pub(crate) const EVENT_ATTR_RESET_REASON: u16 = 16;
    pub(crate) const EVENT_ATTR_RESET_FLAGS: u16 = 17;
    pub(crate) const EVENT_ATTR_SERVER_SIDE: u16 = 18;

    pub(crate) const EVENT_FLAG_DENY_JOIN_ID0: u16 = 1;
    pub(crate) const EVENT_FLAG_SERVER_SIDE: u16 = 2;
}

/// `include/uapi/linux/{sock_diag,inet_diag,mptcp}.h`.
pub(crate) mod diag {
    pub(crate) const SOCK_DIAG_BY_FAMILY: u16 = 20;
    pub(crate) const SOCK_DESTROY: u16 = 21;
    pub(crate) const REQ_PROTOCOL: u16 = 3;
    pub(crate) const INFO: u16 = 2;
    pub(crate) const CONG: u16 = 4;
    pub(crate) const TOS: u16 = 5;
    pub(crate) const TCLASS: u16 = 6;
    /// `INET_DIAG_SKMEMINFO`.
    pub(crate) const MEMORY: u16 = 7;
    pub(crate) const MARK: u16 = 15;
    pub(crate) const ULP_INFO: u16 = 19;
    pub(crate) const ULP_INFO_MPTCP: u16 = 3;
    pub(crate) const EXT_INFO: u8 = 1 << (INFO - 1);
    pub(crate) const EXT_CONG: u8 = 1 << (CONG - 1);
    pub(crate) const EXT_TOS: u8 = 1 << (TOS - 1);
    pub(crate) const EXT_TCLASS: u8 = 1 << (TCLASS - 1);
    pub(crate) const EXT_MEMORY: u8 = 1 << (MEMORY - 1);

    pub(crate) const SUBFLOW_TOKEN_LOC: u16 = 2;
    pub(crate) const SUBFLOW_FLAGS: u16 = 8;
    pub(crate) const SUBFLOW_ID_REM: u16 = 9;
    pub(crate) const SUBFLOW_ID_LOC: u16 = 10;

    pub(crate) const FLAG_CAPABLE_REM: u32 = 0x01;
    pub(crate) const FLAG_CAPABLE_LOC: u32 = 0x02;
    pub(crate) const FLAG_JOIN_REM: u32 = 0x04;
    pub(crate) const FLAG_JOIN_LOC: u32 = 0x08;
    pub(crate) const FLAG_BKUP_REM: u32 = 0x10;
    pub(crate) const FLAG_BKUP_LOC: u32 = 0x20;
    pub(crate) const FLAG_FULLY_ESTABLISHED: u32 = 0x40;

    pub(crate) const REQUEST_LEN: usize = 56;
    pub(crate) const MESSAGE_LEN: usize = 72;
}

/// `<linux/rtnetlink.h>`, `<linux/if_addr.h>`.
pub(crate) mod route {
    pub(crate) const NEWADDR: u16 = 20;
    pub(crate) const GETADDR: u16 = 22;
    pub(crate) const NEWROUTE: u16 = 24;
    pub(crate) const GETROUTE: u16 = 26;

    pub(crate) const IFA_ADDRESS: u16 = 1;
    pub(crate) const IFA_LOCAL: u16 = 2;
    pub(crate) const IFA_FLAGS: u16 = 8;
    pub(crate) const IFA_F_OPTIMISTIC: u32 = 0x04;
    pub(crate) const IFA_F_DADFAILED: u32 = 0x08;
    pub(crate) const IFA_F_DEPRECATED: u32 = 0x20;
    pub(crate) const IFA_F_TENTATIVE: u32 = 0x40;
    pub(crate) const IFADDRMSG_LEN: usize = 8;

    pub(crate) const RTMSG_LEN: usize = 12;
    pub(crate) const RTM_F_FIB_MATCH: u32 = 0x2000;
    pub(crate) const RTN_UNICAST: u8 = 1;
    pub(crate) const RTN_LOCAL: u8 = 2;
    pub(crate) const RTN_ANYCAST: u8 = 4;
    pub(crate) const RTN_BLACKHOLE: u8 = 6;
    pub(crate) const RTN_UNREACHABLE: u8 = 7;
    pub(crate) const RTN_PROHIBIT: u8 = 8;
    pub(crate) const RTN_THROW: u8 = 9;
    pub(crate) const RTA_DST: u16 = 1;
    pub(crate) const RTA_SRC: u16 = 2;
    pub(crate) const RTA_OIF: u16 = 4;
    pub(crate) const RTA_GATEWAY: u16 = 5;
    pub(crate) const RTA_PREFSRC: u16 = 7;
    pub(crate) const RTA_MARK: u16 = 16;
    pub(crate) const RTA_VIA: u16 = 18;
    pub(crate) const RTA_IP_PROTO: u16 = 27;
    pub(crate) const RTA_DPORT: u16 = 29;
}

/// `include/uapi/linux/netfilter/nfnetlink{,_conntrack}.h`.
pub(crate) mod conntrack {
    /// `IPCTNL_MSG_CT_GET` of `NFNL_SUBSYS_CTNETLINK`.
    pub(crate) const GET: u16 = 0x101;
    pub(crate) const TUPLE_ORIG: u16 = 1;
    pub(crate) const TUPLE_REPLY: u16 = 2;
    pub(crate) const TUPLE_IP: u16 = 1;
    pub(crate) const TUPLE_PROTO: u16 = 2;
    pub(crate) const IP_V4_SRC: u16 = 1;
    pub(crate) const IP_V4_DST: u16 = 2;
    pub(crate) const IP_V6_SRC: u16 = 3;
    pub(crate) const IP_V6_DST: u16 = 4;
    pub(crate) const PROTO_NUM: u16 = 1;
    pub(crate) const PROTO_SRC_PORT: u16 = 2;
    pub(crate) const PROTO_DST_PORT: u16 = 3;
}
