//! Raw frames of one interface: a packet socket that receives and sends whole batches.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use nix::net::if_::if_nametoindex;

use super::{check, socket};

/// How many frames one system call moves. Larger batches save little, and need more stack.
pub(crate) const BATCH: usize = 32;

/// How much the kernel may queue while the wire's thread waits for a processor, as happens on a
/// busy machine: a second at 100 Mbit/s.
const RECEIVE_BUFFER_BYTES: libc::c_int = 16 << 20;

/// All frames that arrive at one interface, and a way to send from it.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    fd: OwnedFd,
}

impl PacketSocket {
    /// Opens a socket on an interface of the calling thread's namespace.
    pub(crate) fn open(name: &str) -> io::Result<PacketSocket> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // Protocol 0 receives nothing until the socket is bound. Otherwise it would receive frames
        // of every interface.
        // SAFETY: socket() takes three numbers.
        let fd = check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
        // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // The socket must not receive its own frames, and needs no queueing discipline of the
        // kernel.
        socket::set_int(&fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
        socket::set_int(&fd, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, 1)?;
        let bytes = RECEIVE_BUFFER_BYTES;
        if socket::set_int(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes).is_err() {
            // Older kernels allow that only in the initial user namespace; otherwise the limit
            // applies.
            socket::set_int(&fd, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes)?;
        }
        let packets = PacketSocket { fd };
        packets.bind(name)?;
        Ok(packets)
    }

    /// Reads waiting frames into `buffers`, one each, without waiting. Returns each frame's true
    /// length, which is larger than its buffer if the frame did not fit.
    pub(crate) fn receive(
        &self,
        buffers: &mut [Box<[u8]>],
        lengths: &mut [usize; BATCH],
    ) -> io::Result<usize> {
        let count = buffers.len().min(BATCH);
        let mut pieces = [EMPTY_PIECE; BATCH];
        for (piece, buffer) in pieces.iter_mut().zip(buffers) {
            piece.iov_base = buffer.as_mut_ptr().cast();
            piece.iov_len = buffer.len();
        }
        let mut headers = headers(&mut pieces);
        // SAFETY: the first `count` headers point to pieces, and those to buffers, that outlive the
        // call and are not accessed otherwise; each length is that of its buffer.
        let received = check(unsafe {
            libc::recvmmsg(
                self.fd.as_raw_fd(),
                headers.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_TRUNC as _,
                ptr::null_mut(),
            )
        })? as usize;
        for (length, header) in lengths.iter_mut().zip(&headers[..received]) {
            *length = header.msg_len as usize;
        }
        Ok(received)
    }

    /// Sends frames, at most [`BATCH`]. Returns how many were sent; an error is that of the first
    /// frame.
    pub(crate) fn send(&self, frames: &[&[u8]]) -> io::Result<usize> {
        let count = frames.len().min(BATCH);
        let mut pieces = [EMPTY_PIECE; BATCH];
        for (piece, frame) in pieces.iter_mut().zip(frames) {
            piece.iov_base = frame.as_ptr().cast_mut().cast();
            piece.iov_len = frame.len();
        }
        let mut headers = headers(&mut pieces);
        // SAFETY: the first `count` headers point to pieces, and those to frames, that outlive the
        // call; the kernel only reads the frames, so that they are borrowed shared does not matter.
        let sent = check(unsafe {
            libc::sendmmsg(self.fd.as_raw_fd(), headers.as_mut_ptr(), count as libc::c_uint, 0)
        })?;
        Ok(sent as usize)
    }

    fn bind(&self, name: &str) -> io::Result<()> {
        // SAFETY: `sockaddr_ll` is plain old data, for which all zeroes are valid.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as libc::c_ushort;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = if_nametoindex(name)? as libc::c_int;
        let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the address outlives the call and `len` is its true length.
        check(unsafe { libc::bind(self.fd.as_raw_fd(), (&raw const address).cast(), len) })?;
        Ok(())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

const EMPTY_PIECE: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

/// A message header for each piece. The headers point into `pieces`: use them before it moves.
fn headers(pieces: &mut [libc::iovec; BATCH]) -> [libc::mmsghdr; BATCH] {
    // SAFETY: `mmsghdr` is plain old data, for which all zeroes are valid.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    for (header, piece) in headers.iter_mut().zip(pieces) {
        header.msg_hdr.msg_iov = piece;
        header.msg_hdr.msg_iovlen = 1;
    }
    headers
}
