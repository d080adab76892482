//! A door for tests: it records each act and passes it to the chosen door.

use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Mutex;

use super::{Answer, Door, LocalEnd, Missing, Right, SubflowSocket, Withdraw, choose};
use crate::shared::connected::Connected;
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

    fn create(&self, connection: Connected<'_>, local: LocalEnd, remote: SocketAddr) -> Answer {
        self.record("create").create(connection, local, remote)
    }

    fn destroy(&self, connection: Connected<'_>, local: SocketAddr, remote: SocketAddr) -> Answer {
        self.record("destroy").destroy(connection, local, remote)
    }

    fn abort(&self, sock: BorrowedFd<'_>, subflow: SubflowSocket) -> Answer {
        self.record("abort").abort(sock, subflow)
    }

    fn set_backup(
        &self,
        connection: Connected<'_>,
        ends: (SocketAddr, SocketAddr),
        backup: bool,
    ) -> Answer {
        self.record("set_backup").set_backup(connection, ends, backup)
    }

    fn options(&self, sock: BorrowedFd<'_>, cookie: u64, steps: &mut [OptionStep]) -> Answer {
        self.record("options").options(sock, cookie, steps)
    }

    fn announce(&self, connection: Connected<'_>, local: LocalEnd) -> Answer<Box<dyn Withdraw>> {
        self.record("announce").announce(connection, local)
    }

    fn remove(&self, connection: Connected<'_>, id: u8) -> Answer {
        self.record("remove").remove(connection, id)
    }

    fn events(&self, sock: Option<BorrowedFd<'_>>) -> Answer<OwnedFd> {
        self.record("events").events(sock)
    }

    fn path_manager(&self, connection: Connected<'_>) -> PathManager {
        self.record("path_manager").path_manager(connection)
    }

    fn check(&self, right: Right) -> Result<(), Missing> {
        self.record("check").check(right)
    }
}
