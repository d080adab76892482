//! In every state of a socket each verb returns what the documentation's table states, and changes
//! nothing if it fails. The common states are in the scenarios (`state-*`).

#[path = "../common/mod.rs"]
mod common;

mod alive;
mod before;
mod column;
mod fallback;
mod over;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use column::{Answer, Column, Fails, Works};
use common::{LOOPBACK, judge, raw};
use subflows::{Announce, Error, ErrorKind, Open, PathManager, State, Status};
use subflows_lab::{Namespace, oracle};

/// How long an `open` that must wait may take.
const PATIENCE: Duration = Duration::from_millis(200);

/// A socket, and the arguments of the verbs that are called on it.
struct Cell<'a> {
    /// A name for messages.
    what: &'a str,
    namespace: &'a Namespace,
    sock: BorrowedFd<'a>,
    /// The arguments of an `open` that would succeed in the right state.
    open: Open,
    /// An address that could be announced.
    announce: IpAddr,
}

/// What the library can know of a path manager: before Linux 6.10, the kernel does not show that of a socket
/// without a connection.
fn shown(manager: PathManager, has_token: bool) -> PathManager {
    if has_token || !common::is_without("addresses_by_token") {
        manager
    } else {
        PathManager::Unknown
    }
}

impl<'a> Cell<'a> {
    fn new(what: &'a str, namespace: &'a Namespace, sock: &'a impl AsFd, ip: IpAddr) -> Cell<'a> {
        let open = Open::new().timeout(PATIENCE);
        Cell { what, namespace, sock: sock.as_fd(), open, announce: ip }
    }

    /// Calls every verb; those that change something come last. A verb that fails must change
    /// nothing; the effect of one that succeeds is undone.
    #[track_caller]
    fn is(&self, column: &Column) {
        let _entered = self.namespace.enter().unwrap();
        let sock = &self.sock;
        let status = self.status(column);
        let verify = |verb: &str, expected: Answer, got: Result<(), Error>| {
            let answer = got.as_ref().map_or_else(|error| Fails(error.kind()), |()| Works);
            assert_eq!(answer, expected, "{}: {verb}: {got:?}", self.what);
            let after = subflows::status(sock).unwrap();
            assert_eq!(after, status, "{}: {verb} has changed something", self.what);
        };
        verify(
            "info",
            column.info,
            subflows::info(sock).map(|info| self.info(&info, &status, column)),
        );
        let listed = subflows::list(sock);
        verify("list", column.list, listed.as_ref().map(drop).map_err(Clone::clone));
        let listed = listed.unwrap_or_default();
        assert_eq!(listed.len(), column.subflows, "{}: {listed:?}", self.what);
        if column.state == State::Mptcp {
            let shown = judge::by_ss(self.namespace, status.token.unwrap_or_default());
            let listed = listed.iter().map(|subflow| (subflow.local, subflow.remote));
            assert_eq!(listed.collect::<BTreeSet<_>>(), shown, "{}: ss", self.what);
        }
        let addresses = subflows::addresses(sock).map(|known| {
            let used: u32 = known.iter().map(|address| address.subflows).sum();
            assert_eq!(used as usize, column.subflows, "{}: {known:?}", self.what);
        });
        verify("addresses", column.addresses, addresses);
        let id = listed.first().map_or(1, |first| first.id);
        verify("details", column.details, subflows::details(sock, id).map(drop));
        let none = Fails(column.no_such);
        verify("details of none", none, subflows::details(sock, u32::MAX).map(drop));
        verify("set_backup of none", none, subflows::set_backup(sock, u32::MAX, true));
        verify("close of none", none, subflows::close(sock, u32::MAX));
        verify("force_close of none", none, subflows::force_close(sock, u32::MAX));
        for yes in [true, false] {
            verify("set_backup", column.set_backup, subflows::set_backup(sock, id, yes));
        }
        verify("events", column.events, subflows::events(sock).map(drop));
        let announced = subflows::announce(sock, self.announce, &Announce::new());
        verify("announce", column.announce, announced.and_then(|announced| announced.withdraw()));
        verify("open, and close", column.open, self.open(column));
        if column.close != Works {
            verify("close", column.close, subflows::close(sock, id));
        }
        // These succeed only on a socket without a connection; they come last.
        verify("upgrade", column.upgrade, self.upgrade(column));
        let taken = subflows::take_control(sock);
        let answer = taken.as_ref().map_or_else(|error| Fails(error.kind()), |()| Works);
        assert_eq!(answer, column.take_control, "{}: take_control: {taken:?}", self.what);
        if taken.is_ok() {
            let after = subflows::status(sock).unwrap();
            assert_eq!(after.state, State::Unconnected, "{}: {after:?}", self.what);
            let manager = shown(PathManager::Userspace, false);
            assert_eq!(after.path_manager, manager, "{}: {after:?}", self.what);
        }
    }

    /// Checks `status` against what the kernel reports.
    #[track_caller]
    fn status(&self, column: &Column) -> Status {
        let status = subflows::status(&self.sock).unwrap();
        let what = self.what;
        assert_eq!(status.state, column.state, "{what}: {status:?}");
        assert_eq!(status.is_ready, column.is_ready, "{what}: {status:?}");
        let manager = shown(column.manager, column.has_token);
        assert_eq!(status.path_manager, manager, "{what}: {status:?}");
        assert_eq!(status.token.is_some(), column.has_token, "{what}: {status:?}");
        let shown = oracle::ss_connections(self.namespace);
        let is_shown = status
            .token
            .is_some_and(|token| shown.iter().any(|shown| judge::number(&shown.token) == token));
        assert_eq!(is_shown, column.has_token, "{what}: {status:?}: ss shows {shown:?}");
        let is_tcp = matches!(column.state, State::Tcp | State::FellBack);
        assert_eq!(raw::is_mptcp(&self.sock), !is_tcp, "{what}: TCP_IS_MPTCP");
        status
    }

    fn info(&self, info: &subflows::Info, status: &Status, column: &Column) {
        assert_eq!(info.subflows, Some(column.subflows as u32), "{}: {info:?}", self.what);
        if let Some(token) = status.token {
            assert_eq!(info.token, token, "{}: {info:?}", self.what);
        }
    }

    /// If a subflow is opened, it is closed again; if not, the error must come in time.
    #[track_caller]
    fn open(&self, column: &Column) -> Result<(), Error> {
        let start = Instant::now();
        let opened = subflows::open(&self.sock, &self.open);
        let elapsed = start.elapsed();
        let bound = match column.open {
            Works => self.open.timeout,
            Fails(ErrorKind::TimedOut) => PATIENCE + common::ways::AT_ONCE,
            Fails(_) => common::ways::AT_ONCE,
        };
        assert!(elapsed < bound, "{}: open took {elapsed:?}: {opened:?}", self.what);
        let subflow = opened?;
        assert_eq!(subflows::list(&self.sock)?.len(), column.subflows + 1, "{}", self.what);
        subflows::close(&self.sock, subflow.id)
    }

    /// If the socket is Multipath TCP already, it is not replaced.
    fn upgrade(&self, column: &Column) -> Result<(), Error> {
        let inode = || nix::sys::stat::fstat(self.sock).unwrap().st_ino;
        let (before, number) = (inode(), self.sock.as_raw_fd());
        let result = subflows::upgrade(&self.sock);
        let is_other = result.is_ok() && column.state == State::Tcp;
        assert_eq!(inode() != before, is_other, "{}: descriptor {number}", self.what);
        result
    }
}
