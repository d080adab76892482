//! A relay as event loops make it: without blocking, and woken by changes only (EPOLLET).

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::unistd::{read, write};

use crate::common::{SOON, raw};

/// Moves everything that arrives at one socket to the other, until the end of the data. If an edge were lost, it
/// would wait forever, so it fails after some seconds without one.
pub(crate) fn relay(from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    for (fd, flag) in [(from, EpollFlags::EPOLLIN), (to, EpollFlags::EPOLLOUT)] {
        raw::set_nonblocking(&fd);
        let flags = flag | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        epoll.add(fd, EpollEvent::new(flags, 0)).unwrap();
    }
    let (mut buffer, mut waiting) = (vec![0; 64 << 10], 0..0);
    loop {
        let moved = if waiting.is_empty() {
            read(from, &mut buffer).map(|length| waiting = 0..length)
        } else {
            write(to, &buffer[waiting.clone()]).map(|length| waiting.start += length)
        };
        match moved {
            Ok(()) if waiting == (0..0) => break,
            Ok(()) => {}
            Err(Errno::EAGAIN) => {
                let timeout = EpollTimeout::try_from(SOON).unwrap();
                let mut events = [EpollEvent::empty(); 2];
                assert_ne!(epoll.wait(&mut events, timeout).unwrap(), 0, "no edge");
            }
            Err(errno) => panic!("{errno}"),
        }
    }
    [from, to].iter().for_each(raw::set_blocking);
}
