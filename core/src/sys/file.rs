//! What kind of file a descriptor of this process refers to.

use std::mem::MaybeUninit;
use std::os::fd::RawFd;

/// The kinds of files that the library distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A socket, with its inode.
    Socket(u64),
    /// A file without a kind, such as an epoll set.
    Anonymous,
    Other,
}

/// Returns the kind of the file with that number, or `None` if no file has it.
pub(crate) fn kind(number: RawFd) -> Option<Kind> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel writes one `stat`, to which the pointer points. A number that is not open is an error.
    if unsafe { libc::fstat(number, stat.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the call has succeeded.
    let stat = unsafe { stat.assume_init() };
    // On 32-bit systems it is shorter.
    #[allow(clippy::useless_conversion)]
    Some(match stat.st_mode & libc::S_IFMT {
        libc::S_IFSOCK => Kind::Socket(stat.st_ino.into()),
        0 => Kind::Anonymous,
        _ => Kind::Other,
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use nix::sys::epoll::{Epoll, EpollCreateFlags};

    use super::*;

    #[test]
    fn epoll_sets_and_sockets_are_distinguished() {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        assert_eq!(kind(epoll.0.as_raw_fd()), Some(Kind::Anonymous));
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(matches!(kind(socket.as_raw_fd()), Some(Kind::Socket(inode)) if inode != 0));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(kind(file.as_raw_fd()), Some(Kind::Other));
        assert_eq!(kind(-1), None);
    }
}
