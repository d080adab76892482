//! The numbers and structures of the options, as the patched kernels shipped them on 64-bit machines.
//!
//! The structures of the drafts never ran: `mptcp_sub_status` has 2 bytes, and the addresses of
//! `mptcp_sub_tuple` begin at offset 1, unaligned.

use std::ffi::{c_int, c_uint};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Lists the subflows: `struct mptcp_sub_ids`.
pub const GET_SUB_IDS: i32 = 66;
/// Closes a subflow: `struct mptcp_close_sub_id`.
pub const CLOSE_SUB_ID: i32 = 67;
/// Reports the addresses of a subflow: `struct mptcp_sub_tuple`.
pub const GET_SUB_TUPLE: i32 = 68;
/// Opens a subflow: `struct mptcp_sub_tuple`.
pub const OPEN_SUB_TUPLE: i32 = 69;
/// Gets an option of a subflow: `struct mptcp_sub_getsockopt`.
pub const SUB_GETSOCKOPT: i32 = 71;
/// Sets an option of a subflow: `struct mptcp_sub_setsockopt`.
pub const SUB_SETSOCKOPT: i32 = 72;
/// Whether the socket uses Multipath TCP. The kernel of today has `TCP_AO_REPAIR` under this number.
pub const ENABLED: i32 = 42;
/// The name of the scheduler. The kernel of today has `TCP_IS_MPTCP` under this number.
pub const SCHEDULER: i32 = 43;
/// The name of the path manager. The kernel of today has `TCP_RTO_MAX_MS` under this number.
pub const PATH_MANAGER: i32 = 44;
/// Counters of the connection and its subflows. The kernel of today has `TCP_RTO_MIN_US` under this number.
pub const INFO: i32 = 45;

/// The length of a `struct mptcp_sub_tuple` with addresses of IPv4.
pub const TUPLE_V4: usize = 1 + 2 * SOCKADDR_IN;
/// The length of a `struct mptcp_sub_tuple` with addresses of IPv6.
pub const TUPLE_V6: usize = 1 + 2 * SOCKADDR_IN6;
/// The largest size of a name, with the zero that ends it.
pub const NAME_MAX: usize = 16;
/// The size of `struct mptcp_meta_info`.
pub const META_INFO: usize = 48;
/// The size of `struct mptcp_sub_info`: a union with `sockaddr_in6`, twice.
pub const SUB_INFO: usize = 2 * SOCKADDR_IN6;

const SOCKADDR_IN: usize = 16;
const SOCKADDR_IN6: usize = 28;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// A subflow in the list: `struct mptcp_sub_status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubStatus {
    /// The path index.
    pub id: u8,
    /// Whether it is another subflow than the initial one.
    pub slave_sk: bool,
    /// Whether both ends have confirmed it: it carries data.
    pub fully_established: bool,
    /// Whether it has joined the connection.
    pub attached: bool,
    /// Whether it is a backup.
    pub low_prio: bool,
    /// Whether it has joined, and the peer's confirmation is missing.
    pub pre_established: bool,
}

impl SubStatus {
    /// The two bytes.
    pub fn bytes(self) -> [u8; 2] {
        let flags = [
            self.slave_sk,
            self.fully_established,
            self.attached,
            self.low_prio,
            self.pre_established,
        ];
        let bits = flags.iter().enumerate().map(|(bit, on)| u8::from(*on) << bit);
        [self.id, bits.sum()]
    }
}

/// `struct mptcp_sub_getsockopt`: the request for an option of one subflow, in the memory of the program.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SubGetsockopt {
    /// The path index.
    pub id: u8,
    /// The level of the option.
    pub level: c_int,
    /// The number of the option.
    pub option: c_int,
    /// Where the value goes.
    pub value: *mut u8,
    /// The room there, and then the length of the value.
    pub length: *mut c_uint,
}

/// `struct mptcp_sub_setsockopt`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SubSetsockopt {
    /// The path index.
    pub id: u8,
    /// The level of the option.
    pub level: c_int,
    /// The number of the option.
    pub option: c_int,
    /// The value.
    pub value: *const u8,
    /// Its length.
    pub length: c_uint,
}

/// `struct mptcp_info` of the patched kernels: where the counters go, and how much room there is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LegacyInfo {
    /// The room for one `struct tcp_info`, and then its length.
    pub tcp_info_len: u32,
    /// The room for those of all subflows.
    pub sub_len: u32,
    /// The room for `struct mptcp_meta_info`.
    pub meta_len: u32,
    /// The room for one `struct mptcp_sub_info`.
    pub sub_info_len: u32,
    /// The room for those of all subflows.
    pub total_sub_info_len: u32,
    /// The connection.
    pub meta_info: *mut u8,
    /// The initial subflow.
    pub initial: *mut u8,
    /// All subflows.
    pub subflows: *mut u8,
    /// The addresses of all subflows.
    pub subflow_info: *mut u8,
}

/// Reports whether an option at level `IPPROTO_TCP` is one of the patched kernels.
pub fn is_option(option: c_int) -> bool {
    (GET_SUB_IDS..=SUB_SETSOCKOPT).contains(&option) || (ENABLED..=INFO).contains(&option)
}

/// Writes a `struct mptcp_sub_ids`. Returns its length, or `None` if there is not enough room.
pub fn write_ids(list: &[SubStatus], room: &mut [u8]) -> Option<usize> {
    let head = [u8::try_from(list.len()).ok()?, 0];
    let bytes = head.into_iter().chain(list.iter().flat_map(|status| status.bytes()));
    let length = 2 + 2 * list.len();
    room.get_mut(..length)?.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    Some(length)
}

/// Reads the addresses of a `struct mptcp_sub_tuple` that is to be opened, local and remote. Only its length
/// decides the family: the kernel read no other member. `None` for another length.
pub fn read_tuple(bytes: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let addresses = bytes.get(1..)?;
    let (local, remote) = addresses.split_at(addresses.len() / 2);
    match bytes.len() {
        TUPLE_V4 => Some((read_v4(local)?, read_v4(remote)?)),
        TUPLE_V6 => Some((read_v6(local)?, read_v6(remote)?)),
        _ => None,
    }
}

/// Writes a `struct mptcp_sub_tuple`. Returns its length, or `None` if there is not enough room.
pub fn write_tuple(
    id: u8,
    local: SocketAddr,
    remote: SocketAddr,
    room: &mut [u8],
) -> Option<usize> {
    let [local, remote] = [local, remote].map(canonical);
    let mut bytes = vec![id];
    bytes.extend(sockaddr(local));
    bytes.extend(sockaddr(remote));
    room.get_mut(..bytes.len())?.copy_from_slice(&bytes);
    Some(bytes.len())
}

/// The `struct mptcp_sub_info` of a subflow.
pub fn sub_info(local: SocketAddr, remote: SocketAddr) -> [u8; SUB_INFO] {
    let mut info = [0; SUB_INFO];
    let (src, dst) = info.split_at_mut(SOCKADDR_IN6);
    for (to, address) in [(src, local), (dst, remote)] {
        let bytes = sockaddr(canonical(address));
        to[..bytes.len()].copy_from_slice(&bytes);
    }
    info
}

/// An address of IPv4 that is mapped into IPv6, as one of IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::new(ip.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

fn sockaddr(address: SocketAddr) -> Vec<u8> {
    let port = address.port().to_be_bytes();
    match address {
        SocketAddr::V4(v4) => {
            [&AF_INET.to_ne_bytes()[..], &port, &v4.ip().octets(), &[0; 8]].concat()
        }
        SocketAddr::V6(v6) => {
            let scope = v6.scope_id().to_ne_bytes();
            [&AF_INET6.to_ne_bytes()[..], &port, &[0; 4], &v6.ip().octets(), &scope].concat()
        }
    }
}

fn read_v4(bytes: &[u8]) -> Option<SocketAddr> {
    let ip: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
    Some(SocketAddr::new(Ipv4Addr::from(ip).into(), port(bytes)?))
}

/// A scope is read only where an address needs one: programs leave the member uninitialised.
fn read_v6(bytes: &[u8]) -> Option<SocketAddr> {
    let ip: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
    let ip = Ipv6Addr::from(ip);
    let scope = u32::from_ne_bytes(bytes.get(24..28)?.try_into().ok()?);
    let scope = if ip.is_unicast_link_local() { scope } else { 0 };
    Some(canonical(SocketAddrV6::new(ip, port(bytes)?, 0, scope).into()))
}

fn port(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_status_has_two_bytes_with_the_flags_in_the_second() {
        let status = SubStatus {
            id: 3,
            slave_sk: true,
            fully_established: true,
            attached: true,
            ..SubStatus::default()
        };
        assert_eq!(status.bytes(), [3, 0x07]);
        assert_eq!(SubStatus { low_prio: true, ..SubStatus::default() }.bytes(), [0, 0x08]);
        assert_eq!(SubStatus { pre_established: true, ..SubStatus::default() }.bytes(), [0, 0x10]);
    }

    #[test]
    fn a_list_needs_two_bytes_and_two_for_each_subflow() {
        let list = [SubStatus { id: 2, ..SubStatus::default() }; 2];
        let mut room = [0xff; 7];
        assert_eq!(write_ids(&list, &mut room[..5]), None);
        assert_eq!(write_ids(&list, &mut room), Some(6));
        assert_eq!(room, [2, 0, 2, 0, 2, 0, 0xff]);
        assert_eq!(write_ids(&[], &mut room[..2]), Some(2));
    }

    #[test]
    fn the_length_decides_the_family_and_padding_is_ignored() {
        let mut v4 = [0xaa; TUPLE_V4];
        v4[1..3].fill(0); // The family: not read.
        v4[3..5].copy_from_slice(&7u16.to_be_bytes());
        v4[5..9].copy_from_slice(&[10, 0, 0, 1]);
        v4[19..21].copy_from_slice(&443u16.to_be_bytes());
        v4[21..25].copy_from_slice(&[10, 0, 0, 2]);
        let read = read_tuple(&v4).unwrap();
        assert_eq!(read, ("10.0.0.1:7".parse().unwrap(), "10.0.0.2:443".parse().unwrap()));
        assert_eq!(read_tuple(&v4[..32]), None);
        assert_eq!(read_tuple(&[0; 34]), None);
        let mut v6 = [0xaa; TUPLE_V6];
        v6[9..25].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
        v6[37..53].copy_from_slice(&"::ffff:1.2.3.4".parse::<Ipv6Addr>().unwrap().octets());
        let (local, remote) = read_tuple(&v6).unwrap();
        assert_eq!(local, SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0xaaaa));
        assert_eq!(remote, "1.2.3.4:43690".parse().unwrap());
    }

    #[test]
    fn a_mapped_address_is_written_as_one_of_ipv4() {
        let ends = ["[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.2]:2"].map(|end| end.parse().unwrap());
        let mut room = [0; TUPLE_V6];
        assert_eq!(write_tuple(4, ends[0], ends[1], &mut room), Some(TUPLE_V4));
        assert_eq!(room[0], 4);
        let read = read_tuple(&room[..TUPLE_V4]).unwrap();
        assert_eq!(read, (canonical(ends[0]), canonical(ends[1])));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(local: SocketAddr, remote: SocketAddr, id: u8) {
            // Scopes and flow labels do not belong to a tuple, but of link-local addresses.
            let plain = |end: SocketAddr| SocketAddr::new(end.ip(), end.port());
            let (local, remote) = (canonical(plain(local)), canonical(plain(remote)));
            let mut room = [0; TUPLE_V6];
            let length = write_tuple(id, local, remote, &mut room);
            if local.is_ipv4() == remote.is_ipv4() {
                prop_assert_eq!(read_tuple(&room[..length.unwrap()]), Some((local, remote)));
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(read_tuple(&bytes).is_some(), [TUPLE_V4, TUPLE_V6].contains(&bytes.len()));
        }
    }
}
