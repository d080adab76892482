//! Unix sockets that keep the boundaries of messages (`SOCK_SEQPACKET`) and pass descriptors.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{UnixAddr, connect};

use super::{poll, socket};

/// Room for the header of a control message and two descriptors. The kernel fills it up, so that a message
/// with more than one descriptor is noticed, and closes the descriptors that do not fit.
const CONTROL: usize = 24;
/// More than 64-bit systems need for one descriptor, and as much as they need for two.
const MOST_FDS: usize = 2;

/// One message.
#[derive(Debug)]
pub(crate) struct Packet {
    /// The length of the message; more than the buffer if it did not fit.
    pub(crate) length: usize,
    pub(crate) fds: Vec<OwnedFd>,
    /// Further descriptors came with the message, and are closed.
    pub(crate) has_more_fds: bool,
}

/// Connects to the socket at that path. A later call on the socket fails after `timeout`.
pub(crate) fn connect_to(path: &Path, timeout: Duration) -> io::Result<OwnedFd> {
    let sock = socket::new(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0)?;
    set_timeouts(sock.as_fd(), timeout)?;
    connect(sock.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(sock)
}

/// Bounds every later wait of the socket.
pub(crate) fn set_timeouts(sock: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    let seconds = timeout.as_secs() as libc::time_t;
    let micros = timeout.subsec_micros() as libc::suseconds_t;
    let bytes = [seconds.to_ne_bytes().as_slice(), micros.to_ne_bytes().as_slice()].concat();
    for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
        socket::set_bytes(sock, libc::SOL_SOCKET, option, &bytes)?;
    }
    Ok(())
}

/// Sends one message, with at most one descriptor.
pub(crate) fn send(
    sock: BorrowedFd<'_>,
    bytes: &[u8],
    fd: Option<BorrowedFd<'_>>,
    flags: i32,
) -> io::Result<()> {
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let mut control = Control::default();
    let mut message = message(&mut part);
    if let Some(fd) = fd {
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = length_of_control(1) as _;
        // SAFETY: `msg_control` has room for one header, which is what CMSG_FIRSTHDR checks.
        let header = unsafe { libc::CMSG_FIRSTHDR(&message) };
        // The structure of musl has padding that the one of glibc does not have.
        #[allow(clippy::needless_update)]
        let filled = libc::cmsghdr {
            cmsg_len: length_of_control(1) as _,
            cmsg_level: libc::SOL_SOCKET,
            cmsg_type: libc::SCM_RIGHTS,
            ..Control::header()
        };
        // SAFETY: the header is within `control`, which is aligned for it.
        unsafe { header.write(filled) };
        // SAFETY: the header is the one written above.
        let data = unsafe { libc::CMSG_DATA(header) };
        // SAFETY: `control` has room for a descriptor behind the header.
        unsafe { data.cast::<RawFd>().write_unaligned(fd.as_raw_fd()) };
    }
    loop {
        // SAFETY: the message leads to `bytes` and `control`, which live until the call returns, and
        // which the kernel only reads.
        let sent = unsafe { libc::sendmsg(sock.as_raw_fd(), &message, flags | libc::MSG_NOSIGNAL) };
        match usize::try_from(sent).map_err(|_| io::Error::last_os_error()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(drop),
        }
    }
}

/// Receives one message. A length of 0 is the end.
pub(crate) fn receive(sock: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Packet> {
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control::default();
    let mut message = message(&mut part);
    let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_TRUNC;
    let length = loop {
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = CONTROL as _;
        // SAFETY: the message leads to `buffer` and `control`, with their lengths.
        let received = unsafe { libc::recvmsg(sock.as_raw_fd(), &mut message, flags) };
        match usize::try_from(received).map_err(|_| io::Error::last_os_error()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    let mut fds = Vec::new();
    // SAFETY: the kernel has written `msg_controllen` bytes of control messages.
    let header = unsafe { libc::CMSG_FIRSTHDR(&message) };
    if !header.is_null() {
        // SAFETY: CMSG_FIRSTHDR returns a header that is within the control messages.
        let read = unsafe { header.read() };
        if (read.cmsg_level, read.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: takes numbers only.
            let before = unsafe { libc::CMSG_LEN(0) } as usize;
            let count = (read.cmsg_len as usize).saturating_sub(before) / size_of::<RawFd>();
            // SAFETY: the header is within the control messages.
            let data = unsafe { libc::CMSG_DATA(header) };
            let mut numbers = [0 as RawFd; MOST_FDS];
            let count = count.min(MOST_FDS);
            let (to, length) = (numbers.as_mut_ptr().cast(), count * size_of::<RawFd>());
            // SAFETY: the kernel has written `count` descriptors there, and `numbers` has room for them.
            unsafe { std::ptr::copy_nonoverlapping(data, to, length) };
            // SAFETY: the kernel has just made these descriptors, and nothing else owns them.
            let own = |number: &RawFd| unsafe { OwnedFd::from_raw_fd(*number) };
            fds.extend(numbers[..count].iter().map(own));
        }
    }
    let has_more_fds = message.msg_flags & libc::MSG_CTRUNC != 0;
    Ok(Packet { length, fds, has_more_fds })
}

/// The process at the other end of a Unix socket, when it connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The process.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
    /// Its supplementary groups.
    pub groups: Vec<u32>,
}

/// Returns the effective user at the other end.
pub(crate) fn user(sock: BorrowedFd<'_>) -> io::Result<u32> {
    credentials(sock).map(|[_, uid, _]| uid)
}

/// Returns the process, the user and the group at the other end.
fn credentials(sock: BorrowedFd<'_>) -> io::Result<[u32; 3]> {
    let mut raw = [0u8; 12];
    socket::get(sock, libc::SOL_SOCKET, libc::SO_PEERCRED, &mut raw)?;
    Ok([0, 4, 8].map(|at| u32::from_ne_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]])))
}

/// Returns the process at the other end.
pub(crate) fn peer(sock: BorrowedFd<'_>) -> io::Result<Peer> {
    /// `SO_PEERGROUPS` (Linux 4.13).
    const SO_PEERGROUPS: i32 = 59;
    let [pid, uid, gid] = credentials(sock)?;
    // Linux allows 65536 groups. Few processes have more than fit here at first.
    let mut groups = vec![0u8; 4 * 64];
    let read = |groups: &mut [u8]| socket::get_bytes(sock, libc::SOL_SOCKET, SO_PEERGROUPS, groups);
    let mut length = read(&mut groups);
    if length.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ERANGE)) {
        groups.resize(4 * 65_536, 0);
        length = read(&mut groups);
    }
    let numbers = groups[..length.unwrap_or(0)].chunks_exact(4);
    let number = |bytes: &[u8]| u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let groups = numbers.map(number).collect();
    Ok(Peer { pid: pid as i32, uid, gid, groups })
}

/// Reports whether the process at the other end still lives. Before Linux 6.5 the answer is yes.
pub(crate) fn has_living_peer(sock: BorrowedFd<'_>) -> bool {
    const SO_PEERPIDFD: i32 = 77;
    let mut raw = 0i32;
    match socket::get(sock, libc::SOL_SOCKET, SO_PEERPIDFD, &mut raw) {
        Err(error) => error.raw_os_error() == Some(libc::ENOPROTOOPT),
        Ok(_) => {
            // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
            let process = unsafe { OwnedFd::from_raw_fd(raw) };
            // It becomes readable when the process ends.
            poll::until(process.as_fd(), libc::POLLIN, Some(Instant::now())).is_ok_and(|n| n == 0)
        }
    }
}

/// Reports whether the other end has not read everything that was sent.
pub(crate) fn has_unread(sock: BorrowedFd<'_>) -> io::Result<bool> {
    let mut length: libc::c_int = 0;
    // SAFETY: the pointer leads to `length`, to which the kernel writes (SIOCOUTQ has this number as well).
    socket::check(unsafe { libc::ioctl(sock.as_raw_fd(), libc::TIOCOUTQ, &raw mut length) })?;
    Ok(length > 0)
}

/// A buffer for control messages, aligned for their header.
#[repr(C, align(8))]
#[derive(Default)]
struct Control([u8; CONTROL]);

impl Control {
    fn header() -> libc::cmsghdr {
        // SAFETY: integers only, for which zeros are valid; padding members have no names.
        unsafe { MaybeUninit::zeroed().assume_init() }
    }
}

fn message(part: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: pointers and integers only, for which zeros are valid; padding members have no names.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = part;
    message.msg_iovlen = 1;
    message
}

fn length_of_control(fds: usize) -> usize {
    // SAFETY: takes numbers only.
    unsafe { libc::CMSG_LEN((fds * size_of::<RawFd>()) as u32) as usize }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    use super::*;

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap()
    }

    #[test]
    fn a_descriptor_arrives_with_its_message() {
        let (one, other) = pair();
        let file = File::open("/dev/null").unwrap();
        send(one.as_fd(), b"hello", Some(file.as_fd()), 0).unwrap();
        let mut buffer = [0; 8];
        let packet = receive(other.as_fd(), &mut buffer).unwrap();
        assert_eq!((packet.length, packet.fds.len(), packet.has_more_fds), (5, 1, false));
        assert_eq!(&buffer[..5], b"hello");
        assert_eq!(
            socket::inode(file.as_fd()).unwrap(),
            socket::inode(packet.fds[0].as_fd()).unwrap()
        );
        drop(one);
        assert_eq!(receive(other.as_fd(), &mut buffer).unwrap().length, 0);
    }

    #[test]
    fn no_descriptor_of_a_crowd_stays_open() {
        use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
        let (one, other) = pair();
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let fds = vec![writer.as_raw_fd(); 250];
        let part = [std::io::IoSlice::new(b"x")];
        let rights = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(one.as_raw_fd(), &part, &rights, MsgFlags::empty(), None).unwrap();
        drop(writer);
        let packet = receive(other.as_fd(), &mut [0; 8]).unwrap();
        assert!(packet.fds.len() == 2 && packet.has_more_fds);
        drop(packet);
        // The pipe ends once no descriptor of its other end is left.
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut File::from(reader), &mut rest).unwrap();
    }

    #[test]
    fn a_message_that_does_not_fit_shows_its_length() {
        let (one, other) = pair();
        send(one.as_fd(), &[7; 100], None, 0).unwrap();
        assert_eq!(receive(other.as_fd(), &mut [0; 8]).unwrap().length, 100);
    }

    #[test]
    fn what_is_not_read_is_noticed() {
        let (one, other) = pair();
        assert!(!has_unread(one.as_fd()).unwrap());
        send(one.as_fd(), b"hello", None, 0).unwrap();
        assert!(has_unread(one.as_fd()).unwrap());
        receive(other.as_fd(), &mut [0; 8]).unwrap();
        assert!(!has_unread(one.as_fd()).unwrap());
    }

    #[test]
    fn the_peer_is_this_process() {
        let (one, _other) = pair();
        let peer = peer(one.as_fd()).unwrap();
        assert_eq!(peer.pid, std::process::id() as i32);
        assert_eq!(peer.uid, nix::unistd::geteuid().as_raw());
        assert!(has_living_peer(one.as_fd()));
    }
}
