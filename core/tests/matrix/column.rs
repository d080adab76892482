//! The table of the documentation: what every verb does in every state.

use subflows::{ErrorKind, PathManager, State};

/// What a verb does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Works,
    Fails(ErrorKind),
}
pub(crate) use Answer::{Fails, Works};

/// One column of the table: what the verbs do in a state.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) state: State,
    pub(crate) is_ready: bool,
    pub(crate) manager: PathManager,
    pub(crate) has_token: bool,
    pub(crate) info: Answer,
    /// How many subflows are listed, if `list` works.
    pub(crate) list: Answer,
    pub(crate) subflows: usize,
    pub(crate) addresses: Answer,
    pub(crate) details: Answer,
    pub(crate) set_backup: Answer,
    pub(crate) close: Answer,
    /// With an id that no subflow has.
    pub(crate) no_such: ErrorKind,
    pub(crate) open: Answer,
    pub(crate) announce: Answer,
    pub(crate) events: Answer,
    pub(crate) take_control: Answer,
    pub(crate) upgrade: Answer,
}

impl Column {
    /// A Multipath TCP socket without a connection.
    pub(crate) fn unconnected() -> Column {
        Column {
            state: State::Unconnected,
            is_ready: false,
            manager: PathManager::Kernel,
            has_token: false,
            info: Works,
            list: Works,
            subflows: 0,
            addresses: Works,
            details: Fails(ErrorKind::NoSuchSubflow),
            set_backup: Fails(ErrorKind::NoSuchSubflow),
            close: Fails(ErrorKind::NoSuchSubflow),
            no_such: ErrorKind::NoSuchSubflow,
            open: Fails(ErrorKind::NotConnected),
            announce: Fails(ErrorKind::NotConnected),
            events: Fails(ErrorKind::NotConnected),
            take_control: Works,
            upgrade: Works,
        }
    }

    pub(crate) fn listening() -> Column {
        Column {
            state: State::Listening,
            manager: PathManager::Unknown,
            take_control: Fails(ErrorKind::InvalidState),
            upgrade: Fails(ErrorKind::InvalidState),
            ..Column::unconnected()
        }
    }

    pub(crate) fn connecting() -> Column {
        Column {
            state: State::Connecting,
            manager: PathManager::Userspace,
            has_token: true,
            open: Fails(ErrorKind::TimedOut),
            announce: Fails(ErrorKind::NotReady),
            events: Works,
            ..Column::listening()
        }
    }

    /// A controlled connection with one subflow, before the first byte.
    pub(crate) fn not_ready() -> Column {
        Column {
            state: State::Mptcp,
            subflows: 1,
            details: Works,
            set_backup: Works,
            close: Fails(ErrorKind::InvalidState),
            open: Fails(ErrorKind::NotReady),
            ..Column::connecting()
        }
    }

    /// A controlled connection with one subflow, or with more.
    pub(crate) fn ready(subflows: usize) -> Column {
        Column {
            is_ready: true,
            subflows,
            open: Works,
            announce: Works,
            close: if subflows > 1 { Works } else { Fails(ErrorKind::InvalidState) },
            ..Column::not_ready()
        }
    }

    pub(crate) fn half_closed(subflows: usize) -> Column {
        Column {
            is_ready: false,
            open: Fails(ErrorKind::Closed),
            announce: Fails(ErrorKind::Closed),
            ..Column::ready(subflows)
        }
    }

    /// The same connection under the kernel's path manager.
    pub(crate) fn of_the_kernel(self) -> Column {
        // Waiting would not help: the kernel still manages the paths.
        let instead = |answer| match answer {
            Works | Fails(ErrorKind::NotReady) => Fails(ErrorKind::NotControlled),
            other => other,
        };
        Column {
            manager: PathManager::Kernel,
            set_backup: instead(self.set_backup),
            open: instead(self.open),
            announce: instead(self.announce),
            ..self
        }
    }

    pub(crate) fn closed() -> Column {
        let closed = Fails(ErrorKind::Closed);
        Column {
            state: State::Closed,
            manager: PathManager::Unknown,
            details: closed,
            set_backup: closed,
            close: closed,
            no_such: ErrorKind::Closed,
            open: closed,
            announce: closed,
            events: closed,
            ..Column::unconnected()
        }
    }
}
