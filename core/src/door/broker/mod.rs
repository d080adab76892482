//! The broker door: a small privileged service acts for this process, which passes it the socket.

mod layout;
pub(crate) mod perform;
pub(crate) mod protocol;
mod session;
pub(crate) mod taker;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use self::protocol::{Act, Answer as Reply, Local, Outcome, ROOM, Step};
use self::session::Session;
use crate::door::{Answer, Door, LocalEnd, Missing, Right, SubflowSocket, Withdraw};
use crate::error::{Error, ErrorKind};
use crate::shared::carry::Replacement;
use crate::shared::connected::Connected;
use crate::shared::option_step::OptionStep;
use crate::shared::path_manager::PathManager;
use crate::sys::cache::{self, QueryError};
use crate::sys::netlink::NetlinkError;
use crate::sys::socket;

/// How many sessions are tried: a kept one may be of a broker that has ended.
const TRIES: usize = 4;

#[derive(Debug)]
pub(crate) struct Broker;

/// Reports whether a broker may be used, and its socket exists.
pub(super) fn exists() -> bool {
    session::path().is_some_and(|path| path.exists())
}

impl Door for Broker {
    fn take_control(&self, sock: BorrowedFd<'_>) -> Answer {
        const OPERATION: &str = "take_control";
        // The socket is read while the broker makes another one.
        let mut read = None;
        let mut meanwhile = || {
            read.get_or_insert_with(|| Replacement::of(sock, OPERATION));
        };
        let asked = ask_meanwhile(OPERATION, Act::TakeControl, sock, &mut meanwhile);
        let replacement = read.transpose()?;
        let (_, controlled) = asked?;
        let missing = || no_descriptor(OPERATION);
        let (replacement, controlled) = replacement.zip(controlled).ok_or_else(missing)?;
        Ok(replacement.put(controlled)?)
    }

    fn take_control_of_new(&self, sock: BorrowedFd<'_>) -> Answer {
        const OPERATION: &str = "take_control";
        let (_, controlled) = ask(OPERATION, Act::TakeControl, sock)?;
        let controlled = controlled.ok_or_else(|| no_descriptor(OPERATION))?;
        let replaced = socket::replace(sock, &controlled, true);
        Ok(replaced.map_err(|error| Error::from_io(OPERATION, &error))?)
    }

    fn create(&self, connection: Connected<'_>, local: LocalEnd, remote: SocketAddr) -> Answer {
        let act = Act::Create { token: connection.token, local: local.into(), remote };
        ask("SUBFLOW_CREATE", act, connection.sock).map(drop)
    }

    fn destroy(&self, connection: Connected<'_>, local: SocketAddr, remote: SocketAddr) -> Answer {
        let act = Act::Destroy { token: connection.token, local, remote };
        ask("SUBFLOW_DESTROY", act, connection.sock).map(drop)
    }

    fn abort(&self, sock: BorrowedFd<'_>, subflow: SubflowSocket) -> Answer {
        let SubflowSocket { local, remote, interface, cookie } = subflow;
        ask("SOCK_DESTROY", Act::Abort { local, remote, interface, cookie }, sock).map(drop)
    }

    fn set_backup(
        &self,
        connection: Connected<'_>,
        (local, remote): (SocketAddr, SocketAddr),
        is_backup: bool,
    ) -> Answer {
        let act = Act::SetBackup { token: connection.token, local, remote, is_backup };
        ask("SET_FLAGS", act, connection.sock).map(drop)
    }

    fn options(&self, sock: BorrowedFd<'_>, cookie: u64, steps: &mut [OptionStep]) -> Answer {
        const OPERATION: &str = "options";
        let act = Act::Options { cookie, steps: steps.iter().map(Step::from).collect() };
        let (reply, _) = ask(OPERATION, act, sock)?;
        let outcomes = reply.outcomes.unwrap_or_default();
        if outcomes.len() != steps.len() {
            return Err(failed(OPERATION, &io::ErrorKind::InvalidData.into()).into());
        }
        for (step, outcome) in steps.iter_mut().zip(outcomes) {
            step.answer(outcome.result, &outcome.value[..outcome.length as usize]);
        }
        Ok(())
    }

    fn announce(&self, connection: Connected<'_>, local: LocalEnd) -> Answer<Box<dyn Withdraw>> {
        const OPERATION: &str = "ANNOUNCE";
        // The broker keeps the announcement for the session, which therefore belongs to it alone.
        let path = session::path().ok_or_else(|| Error::new(ErrorKind::NotPermitted, OPERATION))?;
        let session = Session::open(&path).map_err(|error| failed(OPERATION, &error))?;
        let act = Act::Announce { token: connection.token, local: local.into() };
        let asked = session.ask(act, Some(connection.sock));
        let (reply, _) = asked.map_err(|error| failed(OPERATION, &error))?;
        let handle = reply.result.map_err(|refusal| refusal.error(OPERATION))?;
        Ok(Box::new(Announcement { session, handle }))
    }

    fn remove(&self, connection: Connected<'_>, id: u8) -> Answer {
        ask("REMOVE", Act::Remove { token: connection.token, id }, connection.sock).map(drop)
    }

    fn events(&self, sock: Option<BorrowedFd<'_>>) -> Answer<OwnedFd> {
        const OPERATION: &str = "events";
        let Some(sock) = sock else {
            return Err(Error::new(ErrorKind::NotPermitted, OPERATION)
                .errno(libc::EPERM)
                .detail("the broker shows a program the events of its own connections only")
                .with_remedy(
                    "Follow the events of each connection, or run the program with CAP_NET_ADMIN.",
                )
                .into());
        };
        let (_, stream) = ask(OPERATION, Act::Events, sock)?;
        Ok(stream.ok_or_else(|| no_descriptor(OPERATION))?)
    }

    fn path_manager(&self, connection: Connected<'_>) -> PathManager {
        let act = Act::PathManager { token: connection.token };
        let value = ask("path_manager", act, connection.sock).ok();
        match value.and_then(|(reply, _)| reply.result.ok()) {
            Some(1) => PathManager::Kernel,
            Some(2) => PathManager::Userspace,
            _ => PathManager::Unknown,
        }
    }

    fn check(&self, right: Right) -> Result<(), Missing> {
        let missing = |error: &Error| {
            let cause = format!("{error:#}").replacen("capabilities: ", "the broker: ", 1);
            Missing::new(cause, error.remedy())
        };
        // Any socket shows the network namespace.
        let sock = socket::new(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0)
            .map_err(|error| missing(&Error::from_io("capabilities", &error)))?;
        let act = Act::Check { right: right as u16 };
        match ask("capabilities", act, sock.as_fd()) {
            Ok(_) => Ok(()),
            Err(refused) => Err(missing(&refused.during("capabilities"))),
        }
    }
}

/// Asks the broker, in a session that is kept. A session that has ended is replaced.
fn ask(
    operation: &'static str,
    act: Act,
    sock: BorrowedFd<'_>,
) -> Answer<(Reply, Option<OwnedFd>)> {
    ask_meanwhile(operation, act, sock, &mut || ())
}

/// As [`ask`], and does something while the broker acts: again if it asks again.
fn ask_meanwhile(
    operation: &'static str,
    act: Act,
    sock: BorrowedFd<'_>,
    meanwhile: &mut dyn FnMut(),
) -> Answer<(Reply, Option<OwnedFd>)> {
    let path = session::path().ok_or_else(|| Error::new(ErrorKind::NotPermitted, operation))?;
    let mut last = io::Error::from(io::ErrorKind::UnexpectedEof);
    for _ in 0..TRIES {
        let asked = cache::with_socket_for(sock, |session: &mut Session| {
            if !session.is_with(&path) {
                return Err(NetlinkError::malformed());
            }
            session.ask_meanwhile(act.clone(), Some(sock), meanwhile).map_err(|error| {
                last = error;
                NetlinkError::malformed()
            })
        });
        match asked {
            Ok((Reply { result: Err(refusal), .. }, _)) => {
                return Err(refusal.error(operation).into());
            }
            Ok((reply, fd)) => return Ok((reply, fd)),
            Err(QueryError::OtherNamespace) => {
                return Err(Error::new(ErrorKind::OtherNamespace, operation).into());
            }
            // The session could not be used, and is closed.
            Err(error) if error.is(libc::EBADMSG) => {
                if !is_over(&last) {
                    break;
                }
            }
            Err(QueryError::Netlink(error)) => {
                last = io::Error::from_raw_os_error(error.errno);
                break;
            }
        }
    }
    Err(failed(operation, &last).into())
}

/// Reports whether the broker has ended the session, so that another one may have begun since.
fn is_over(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected | UnexpectedEof)
}

/// The error for a broker that does not answer as it should.
fn failed(operation: &'static str, error: &io::Error) -> Error {
    let path = session::path().unwrap_or_default();
    let path = path.display();
    let with = |kind, what: &str| Error::new(kind, operation).detail(format!("{what} {path}"));
    match (error.kind(), error.raw_os_error()) {
        (io::ErrorKind::Unsupported, None) => with(
            ErrorKind::Unsupported,
            "another version of the library answers at the broker's socket",
        )
        .with_remedy("Install the same version of the command and of the library."),
        (io::ErrorKind::InvalidData, None) => {
            with(ErrorKind::Os, "the answer is not one of a broker:")
                .with_remedy("Set SUBFLOWS_BROKER to the path of the broker's socket.")
        }
        (_, Some(libc::EAGAIN)) => with(ErrorKind::TimedOut, "the broker does not answer:")
            .errno(libc::ETIMEDOUT)
            .with_remedy("Look at its log: journalctl --unit subflows-broker."),
        (_, Some(errno @ libc::ETOOMANYREFS)) => Error::new(ErrorKind::Busy, operation)
            .detail(format!("no descriptor can be sent to the broker at {path}"))
            .errno(errno)
            .with_remedy(
                "End the program of this user that leaves descriptors unread in Unix sockets, or raise \
                 RLIMIT_NOFILE.",
            ),
        (_, Some(errno @ (libc::EACCES | libc::EPERM))) => {
            with(ErrorKind::NotPermitted, "this user may not use the broker:")
                .errno(errno)
                .with_remedy(
                    "Add the user to the group subflows: usermod --append --groups subflows USER.",
                )
        }
        (_, errno) => {
            let error = with(ErrorKind::NotPermitted, "the broker does not run:");
            let error = errno.map_or(error.clone(), |errno| error.errno(errno));
            error.with_remedy(
                "Start the broker as root: subflows broker, or systemctl start subflows-broker.",
            )
        }
    }
}

fn no_descriptor(operation: &'static str) -> Error {
    failed(operation, &io::ErrorKind::InvalidData.into())
}

/// An address that the broker has announced for this process.
#[derive(Debug)]
struct Announcement {
    session: Session,
    handle: u32,
}

impl Withdraw for Announcement {
    fn withdraw(&mut self) -> Answer {
        const OPERATION: &str = "REMOVE";
        let asked = self.session.ask(Act::Withdraw { handle: self.handle }, None);
        let (reply, _) = asked.map_err(|error| {
            if is_over(&error) {
                Error::new(ErrorKind::Closed, OPERATION)
                    .detail("the broker has ended since the address was announced")
                    .with_remedy("Close the connection: the address stays announced until then.")
            } else {
                failed(OPERATION, &error)
            }
        })?;
        reply.result.map_err(|refusal| refusal.error(OPERATION))?;
        Ok(())
    }
}

impl From<LocalEnd> for Local {
    fn from(end: LocalEnd) -> Local {
        let LocalEnd { ip, port, id, interface, is_backup } = end;
        Local { ip, port, id, interface, is_backup }
    }
}

impl From<Local> for LocalEnd {
    fn from(end: Local) -> LocalEnd {
        let Local { ip, port, id, interface, is_backup } = end;
        LocalEnd { ip, port, id, interface, is_backup }
    }
}

impl From<&OptionStep> for Step {
    fn from(step: &OptionStep) -> Step {
        let (is_set, level, number, asked) = step.request();
        let mut value = [0; ROOM];
        if is_set {
            value[..asked.len()].copy_from_slice(asked);
        }
        Step { is_set, level, number, length: asked.len() as u32, value }
    }
}

impl From<&Step> for OptionStep {
    fn from(step: &Step) -> OptionStep {
        let length = step.length as usize;
        if step.is_set {
            OptionStep::set(step.level, step.number, &step.value[..length.min(ROOM)])
        } else {
            OptionStep::get(step.level, step.number, length)
        }
    }
}

impl From<&OptionStep> for Outcome {
    fn from(step: &OptionStep) -> Outcome {
        let (result, bytes) = match step.outcome() {
            Ok(bytes) => (0, bytes),
            Err(errno) => (-errno, &[][..]),
        };
        let mut value = [0; ROOM];
        value[..bytes.len()].copy_from_slice(bytes);
        Outcome { result, length: bytes.len() as u32, value }
    }
}
