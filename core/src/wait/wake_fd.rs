//! A descriptor that becomes readable when another one does, or when a time has passed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

#[derive(Debug)]
pub(crate) struct WakeFd {
    epoll: Epoll,
    timer: TimerFd,
}

impl WakeFd {
    pub(crate) fn new(watched: BorrowedFd<'_>) -> io::Result<WakeFd> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        epoll.add(watched, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, 1))?;
        Ok(WakeFd { epoll, timer })
    }

    /// Makes the descriptor readable after that time. Replaces an earlier setting.
    pub(crate) fn set(&self, after: Duration) -> io::Result<()> {
        let at = Expiration::OneShot(TimeSpec::from_duration(after));
        self.timer.set(at, TimerSetTimeFlags::empty()).map_err(io::Error::from)
    }

    /// Clears a wake-up that has happened.
    pub(crate) fn clear(&self) {
        // If there is nothing to clear, the call has no effect.
        let _ = self.timer.unset();
    }
}

impl AsFd for WakeFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}
