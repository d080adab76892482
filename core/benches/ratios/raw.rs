//! The same work with bare system calls, as a C program would do it: the library is compared with
//! these.

use std::mem::size_of;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// `getsockopt` into a buffer that is reused.
pub fn getsockopt(fd: RawFd, level: i32, name: i32, buffer: &mut [u8]) -> usize {
    let mut length = buffer.len() as libc::socklen_t;
    // SAFETY: the pointer and the length describe `buffer`; pointers inside it are the caller's.
    let result =
        unsafe { libc::getsockopt(fd, level, name, buffer.as_mut_ptr().cast(), &mut length) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    length as usize
}

/// Makes a child as `vfork` does, which exits at once, and waits for it: the minimum cost of
/// surviving the caller's death.
pub fn child() {
    extern "C" fn nothing(_: *mut libc::c_void) -> libc::c_int {
        0
    }
    let mut stack = [0u128; 256];
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;
    let top = stack.as_mut_ptr_range().end.cast();
    // SAFETY: the stack outlives the child, because CLONE_VFORK waits for its end.
    let child = unsafe { libc::clone(nothing, top, flags, std::ptr::null_mut()) };
    assert!(child > 0);
    // SAFETY: waitpid takes numbers and accepts a null status.
    assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), libc::__WCLONE) }, child);
}

/// The input of `MPTCP_FULL_INFO` with room for eight subflows, in the kernel's own sizes.
pub struct FullInfo {
    pub head: [u8; 136],
    _subflows: Vec<u8>,
    _tcps: Vec<u8>,
    fresh: [u8; 136],
}

impl FullInfo {
    pub fn new() -> Self {
        const ROOM: usize = 8;
        let mut subflows = vec![0u8; 264 * ROOM];
        let mut tcps = vec![0u8; 280 * ROOM];
        let mut fresh = [0u8; 136];
        for (offset, value) in [(4, 280u32), (12, 264), (20, ROOM as u32)] {
            fresh[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        }
        fresh[24..32].copy_from_slice(&(subflows.as_mut_ptr() as u64).to_ne_bytes());
        fresh[32..40].copy_from_slice(&(tcps.as_mut_ptr() as u64).to_ne_bytes());
        FullInfo { head: fresh, _subflows: subflows, _tcps: tcps, fresh }
    }

    pub fn call(&mut self, fd: RawFd) -> u32 {
        self.head = self.fresh;
        getsockopt(fd, 284, 4, &mut self.head);
        u32::from_ne_bytes(self.head[16..20].try_into().expect("four bytes"))
    }
}

pub struct Netlink {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl Netlink {
    pub fn open(protocol: i32) -> Self {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: socket takes numbers only.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) };
        assert!(fd >= 0);
        // SAFETY: the descriptor is new, and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut address = [0u8; 12];
        address[0] = libc::AF_NETLINK as u8;
        // SAFETY: the pointer and the length describe `address`.
        let bound = unsafe { libc::bind(fd.as_raw_fd(), address.as_ptr().cast(), 12) };
        assert_eq!(bound, 0);
        Netlink { fd, buffer: vec![0; 64 * 1024] }
    }

    pub fn join(&self, group: u32) {
        let pointer: *const u32 = &group;
        // SAFETY: the pointer and the length describe `group`.
        let joined = unsafe { libc::setsockopt(self.fd.as_raw_fd(), 270, 1, pointer.cast(), 4) };
        assert_eq!(joined, 0);
    }

    pub fn send(&self, message: &[u8]) {
        // SAFETY: the pointer and the length describe `message`.
        let sent =
            unsafe { libc::send(self.fd.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) };
        assert_eq!(sent, message.len() as isize);
    }

    pub fn receive(&mut self) -> &[u8] {
        // SAFETY: the pointer and the length describe `buffer`.
        let length = unsafe {
            libc::recv(self.fd.as_raw_fd(), self.buffer.as_mut_ptr().cast(), self.buffer.len(), 0)
        };
        assert!(length > 0);
        &self.buffer[..length as usize]
    }

    /// Sends a dump request and discards the answers; returns how many bytes arrived.
    pub fn dump(&mut self, message: &[u8]) -> usize {
        self.send(message);
        let mut total = 0;
        loop {
            let datagram = self.receive();
            total += datagram.len();
            if datagram[4..6] == (libc::NLMSG_DONE as u16).to_ne_bytes() {
                return total;
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn header(kind: u16, flags: i32, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(16 + body.len());
    message.extend_from_slice(&((16 + body.len()) as u32).to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
    message.extend_from_slice(&1u32.to_ne_bytes());
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(body);
    message
}

/// A request of `sock_diag`: for one connection by its token, or for all of one family.
pub fn diag(family: i32, mptcp: bool, token: Option<u32>) -> Vec<u8> {
    let mut body = vec![0u8; 56];
    body[0] = family as u8;
    body[1] = if mptcp { 255 } else { libc::IPPROTO_TCP as u8 };
    body[2] = 1 << 1;
    body[4..8].copy_from_slice(&0b1011_0011_1110u32.to_ne_bytes());
    body[48..52].copy_from_slice(&token.unwrap_or(u32::MAX).to_ne_bytes());
    if mptcp {
        body.extend_from_slice(&8u16.to_ne_bytes());
        body.extend_from_slice(&3u16.to_ne_bytes());
        body.extend_from_slice(&libc::IPPROTO_MPTCP.to_ne_bytes());
    }
    header(20, if token.is_some() { 0 } else { libc::NLM_F_DUMP }, &body)
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(size_of::<u32>()), 0);
    bytes
}

/// `SUBFLOW_CREATE` between two IPv4 ends.
pub fn create(
    family: u16,
    token: u32,
    (local, port, id): (Ipv4Addr, u16, u8),
    (remote, remote_port): (Ipv4Addr, u16),
) -> Vec<u8> {
    let inet = attribute(1, &(libc::AF_INET as u16).to_ne_bytes());
    let ours = [
        inet.clone(),
        attribute(2, &[id]),
        attribute(3, &local.octets()),
        attribute(5, &port.to_ne_bytes()),
    ]
    .concat();
    let theirs =
        [inet, attribute(3, &remote.octets()), attribute(5, &remote_port.to_ne_bytes())].concat();
    let body = [
        vec![10, 1, 0, 0],
        attribute(1 | 0x8000, &ours),
        attribute(4, &token.to_ne_bytes()),
        attribute(6 | 0x8000, &theirs),
    ]
    .concat();
    header(family, libc::NLM_F_ACK, &body)
}

/// The numbers of the family `mptcp_pm` and of its events group, as `ctrl` reports them.
pub fn family() -> (u16, u32) {
    let mut netlink = Netlink::open(libc::NETLINK_GENERIC);
    let body = [vec![3, 1, 0, 0], attribute(2, b"mptcp_pm\0")].concat();
    netlink.send(&header(0x10, 0, &body));
    let answer = netlink.receive().to_vec();
    let (mut id, mut group, mut offset) = (0, 0, 20);
    let u16_at = |at: usize| u16::from_ne_bytes(answer[at..at + 2].try_into().expect("two"));
    while offset + 4 <= answer.len() {
        let (length, kind) = (usize::from(u16_at(offset)), u16_at(offset + 2) & 0x3fff);
        if kind == 1 {
            id = u16_at(offset + 4);
        }
        if kind == 7 {
            // In each group the number precedes the name by twelve bytes.
            let list = &answer[offset..offset + length];
            let name = b"mptcp_pm_events";
            let at = list.windows(name.len()).position(|w| w == name).expect("the group");
            let number = list[at - 8..at - 4].try_into().expect("four");
            group = u32::from_ne_bytes(number);
        }
        offset += length.next_multiple_of(4);
    }
    (id, group)
}
