//! A door for tests: it records each act and passes it to the chosen door.

use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Mutex;

use super::{Answer, Door, LocalEnd, Missing, Right, SubflowSocket, Withdraw, choose};
use crate::shared::option_step::OptionStep;
use crate::shared::path_manager::PathManager;

#[derive(Debug)]
pub(crate) struct Recorder {
    acts: Mutex<Vec<&'static str>>,
    door: &'static dyn Door,
}

impl Recorder {
    /// Never freed: a door lives as long as the program.
    pub(crate) fn new() -> &'static Recorder {
        Box::leak(Box::new(Recorder { acts: Mutex::default(), door: choose() }))
    }

    pub(crate) fn acts(&self) -> Vec<&'static str> {
        self.acts.lock().unwrap().clone()
    }

    fn record(&self, act: &'static str) -> &'static dyn Door {
        self.acts.lock().unwrap().push(act);
        self.door
    }
}

impl Door for Recorder {
    fn take_control(&self, sock: BorrowedFd<'_>) -> Answer {
        self.record("take_control").take_control(sock)
    }

    fn create(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        local: LocalEnd,
        remote: SocketAddr,
    ) -> Answer {
        self.record("create").create(sock, token, local, remote)
    }

    fn destroy(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Answer {
        self.record("destroy").destroy(sock, token, local, remote)
    }

    fn abort(&self, sock: BorrowedFd<'_>, subflow: SubflowSocket) -> Answer {
        self.record("abort").abort(sock, subflow)
    }

    fn set_backup(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        ends: (SocketAddr, SocketAddr),
        backup: bool,
    ) -> Answer {
        self.record("set_backup").set_backup(sock, token, ends, backup)
    }

    fn options(&self, sock: BorrowedFd<'_>, cookie: u64, steps: &mut [OptionStep]) -> Answer {
        self.record("options").options(sock, cookie, steps)
    }

    fn announce(
        &self,
        sock: BorrowedFd<'_>,
        token: u32,
        local: LocalEnd,
    ) -> Answer<Box<dyn Withdraw>> {
        self.record("announce").announce(sock, token, local)
    }

    fn remove(&self, sock: BorrowedFd<'_>, token: u32, id: u8) -> Answer {
        self.record("remove").remove(sock, token, id)
    }

    fn events(&self, sock: Option<BorrowedFd<'_>>) -> Answer<OwnedFd> {
        self.record("events").events(sock)
    }

    fn path_manager(&self, sock: BorrowedFd<'_>, token: u32) -> PathManager {
        self.record("path_manager").path_manager(sock, token)
    }

    fn check(&self, right: Right) -> Result<(), Missing> {
        self.record("check").check(right)
    }
}
