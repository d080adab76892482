//! The broker's side: acts on a socket that a client has passed. The service calls it in a worker of that
//! client, because a client can make every call on its socket wait.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;
use std::time::Duration;

use super::protocol::{Act, Answer, LONGEST, Malformed, Outcome, Refusal, Request, Step};
use crate::door::direct::Direct;
use crate::door::{Door, Right, SubflowSocket, Withdraw};
use crate::error::{Error, ErrorKind, Result};
use crate::shared::connected::Connected;
use crate::shared::diag_subflow::{self, Depth};
use crate::shared::option_step::OptionStep;
use crate::shared::path_manager::PathManager;
use crate::shared::socket_state::{not_mptcp_error, query_error, require_same_namespace};
use crate::shared::subflow::list_fd;
use crate::sys::cache;
use crate::sys::event::KernelEvents;
use crate::sys::sock_diag::SockDiag;
pub use crate::sys::unix::Peer;
use crate::sys::{mptcp, namespace, socket, take_over, unix};

/// The most announcements that one session keeps.
const ANNOUNCEMENTS: usize = 16;

/// The broker's end of a session.
#[derive(Debug)]
pub struct ServerSession(OwnedFd);

/// A message of a client.
#[derive(Debug)]
pub struct Received {
    /// The request, or why the message is not a request.
    pub request: std::result::Result<Request, Malformed>,
    /// Every descriptor that came with it. The kernel has closed those that are more than two.
    pub fds: Vec<OwnedFd>,
}

impl ServerSession {
    /// Takes a connection that the listener has accepted. An answer that the client does not read ends the
    /// session.
    pub fn new(accepted: OwnedFd) -> ServerSession {
        ServerSession(accepted)
    }

    /// Returns the effective user of the process that has connected.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn user(&self) -> io::Result<u32> {
        unix::user(self.0.as_fd())
    }

    /// Returns the process that has connected.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn peer(&self) -> io::Result<Peer> {
        unix::peer(self.0.as_fd())
    }

    /// Reports whether the process that has connected still lives. Before Linux 6.5 the answer is yes.
    pub fn has_living_peer(&self) -> bool {
        unix::has_living_peer(self.0.as_fd())
    }

    /// Waits for the next message. Returns `None` when the client has ended the session.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn receive(&self) -> io::Result<Option<Received>> {
        let mut buffer = [0; LONGEST];
        let packet = unix::receive(self.0.as_fd(), &mut buffer)?;
        if packet.length == 0 && packet.fds.is_empty() {
            return Ok(None);
        }
        let request = match buffer.get(..packet.length) {
            Some(bytes) if !packet.has_more_fds => Request::parse(bytes),
            _ => Err(Malformed::Message),
        };
        Ok(Some(Received { request, fds: packet.fds }))
    }

    /// Sends an answer, without waiting.
    ///
    /// # Errors
    /// `EAGAIN` if the client has not read the one before. The kernel counts the descriptors in unread answers
    /// for the broker's user, whose other processes could then send none.
    pub fn answer(&self, answer: &Answer, fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        if unix::has_unread(self.0.as_fd())? {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        unix::send(self.0.as_fd(), &answer.encode(), fd, libc::MSG_DONTWAIT)
    }
}

/// A connection of a client, as its socket shows it now.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The kernel's number of the socket.
    pub cookie: u64,
    /// The local token; 0 without a connection.
    pub token: u32,
}

/// What the broker keeps of a session: nothing but the addresses that it has announced.
#[derive(Debug, Default)]
pub struct Performer {
    announced: Vec<Option<Announced>>,
}

#[derive(Debug)]
struct Announced {
    connection: Connection,
    withdrawal: Box<dyn Withdraw>,
}

/// What an act returns.
#[derive(Debug, Default)]
pub struct Done {
    /// The number in the answer.
    pub value: u32,
    /// The descriptor that is passed with the answer.
    pub fd: Option<OwnedFd>,
    /// What came of options.
    pub outcomes: Option<Vec<Outcome>>,
}

impl From<u32> for Done {
    fn from(value: u32) -> Done {
        Done { value, ..Done::default() }
    }
}

/// Returns the answer to a request, and the descriptor that goes with it.
pub fn reply(number: u64, done: Result<Done>) -> (Answer, Option<OwnedFd>) {
    match done {
        Ok(Done { value, fd, outcomes }) => (Answer { number, result: Ok(value), outcomes }, fd),
        Err(error) => {
            let result = Err(Refusal::from(&error));
            (Answer { number, result, outcomes: None }, None)
        }
    }
}

/// Makes the error with which the service itself refuses a request.
pub fn refusal(
    kind: ErrorKind,
    errno: i32,
    detail: impl Into<String>,
    remedy: impl Into<String>,
) -> Error {
    let error = Error::new(kind, "broker").detail(detail.into()).with_remedy(remedy.into());
    if errno == 0 { error } else { error.errno(errno) }
}

/// Reads which connection the socket of a request has. The call may wait for as long as the client keeps
/// its socket locked.
///
/// # Errors
/// `OtherNamespace` for a socket of another network namespace; `InvalidArgument` and `NotMptcp` for what is
/// not a Multipath TCP socket.
pub fn connection_of(act: &Act, sock: BorrowedFd<'_>) -> Result<Connection> {
    const OPERATION: &str = "broker";
    // The calls of this check wait for nothing.
    let not_a_socket = || Error::argument(OPERATION, "this descriptor is not an open socket");
    let cookie = socket::cookie(sock).ok_or_else(not_a_socket)?;
    require_same_namespace(sock, OPERATION)?;
    if let Act::Check { .. } | Act::TakeControl = act {
        return Ok(Connection { cookie, token: 0 });
    }
    // It takes the socket's lock, so the act that follows is not left waiting for it in the kernel, with
    // a lock of every network namespace held, unless the client takes the lock again in between.
    let info = mptcp::info(sock).map_err(|error| not_mptcp_error(sock, OPERATION, &error))?;
    Ok(Connection { cookie, token: info.raw.mptcpi_token })
}

impl Performer {
    /// Does what a request asks for, on the connection that [`connection_of`] has just read from the socket.
    ///
    /// # Errors
    /// Those of the act.
    pub fn perform(
        &mut self,
        act: &Act,
        connection: Connection,
        sock: BorrowedFd<'_>,
    ) -> Result<Done> {
        let done = |answer: super::Answer| match answer {
            Ok(()) => Ok(Done::default()),
            Err(refused) => Err(refused.during("broker")),
        };
        if token_of(act).is_some_and(|token| token != connection.token || token == 0) {
            return Err(Error::os("broker", libc::EINVAL));
        }
        let connected = Connected { sock, token: connection.token };
        match *act {
            // The service makes the socket in another thread.
            Act::TakeControl => {
                Err(Error::argument("broker", "take_control is not an act on a socket"))
            }
            Act::Create { local, remote, .. } => {
                done(Direct.create(connected, local.into(), remote))
            }
            Act::Destroy { local, remote, .. } => done(Direct.destroy(connected, local, remote)),
            Act::SetBackup { local, remote, is_backup, .. } => {
                done(Direct.set_backup(connected, (local, remote), is_backup))
            }
            Act::Remove { id, .. } => done(Direct.remove(connected, id)),
            Act::Abort { local, remote, interface, cookie } => {
                let subflow = SubflowSocket { local, remote, interface, cookie };
                require_own(connected, subflow)?;
                done(Direct.abort(sock, subflow))
            }
            Act::Announce { local, .. } => {
                if self.announced.len() == ANNOUNCEMENTS {
                    return Err(refusal(
                        ErrorKind::Busy,
                        libc::EBUSY,
                        format!("this session has announced {ANNOUNCEMENTS} addresses"),
                        "Announce further addresses in another session.",
                    ));
                }
                let withdrawal = Direct
                    .announce(connected, local.into())
                    .map_err(|refused| refused.during("broker"))?;
                self.announced.push(Some(Announced { connection, withdrawal }));
                Ok(Done::from(self.announced.len() as u32))
            }
            Act::Withdraw { .. } => Err(Error::argument("broker", "withdraw takes no socket")),
            Act::PathManager { .. } => Ok(Done::from(match Direct.path_manager(connected) {
                PathManager::Unknown => 0,
                PathManager::Kernel => 1,
                PathManager::Userspace => 2,
            })),
            Act::Events => {
                if connection.token == 0 {
                    return Err(Error::new(ErrorKind::NotConnected, "broker"));
                }
                let stream = KernelEvents::subscribe_to(connection.token)
                    .map_err(|refusal| query_error("broker", refusal.into()))?;
                Ok(Done { fd: Some(stream), ..Done::default() })
            }
            Act::Check { right } => check(right),
            Act::Options { cookie, ref steps } => {
                require_subflow(connected, cookie)?;
                let mut made: Vec<OptionStep> = steps.iter().map(OptionStep::from).collect();
                done(Direct.options(sock, cookie, &mut made))?;
                let outcomes = Some(made.iter().map(Outcome::from).collect());
                Ok(Done { outcomes, ..Done::default() })
            }
        }
    }

    /// Withdraws an address that this session has announced, if its connection still is the same.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown handle; `EINVAL` if the connection has ended.
    pub fn withdraw(&mut self, handle: u32) -> Result<(Connection, Done)> {
        let index = (handle as usize).checked_sub(1);
        let announced = index.and_then(|index| self.announced.get_mut(index)?.take());
        let Some(mut announced) = announced else {
            return Err(Error::argument("broker", "this session has announced no such address"));
        };
        let Connection { token, cookie } = announced.connection;
        let found = cache::with_any_socket(|diag: &mut SockDiag| diag.connection(token));
        if !found.is_ok_and(|found| found.head.cookie == cookie) {
            return Err(Error::os("broker", libc::EINVAL));
        }
        let withdrawn = announced.withdrawal.withdraw();
        withdrawn.map_err(|refused| refused.during("broker"))?;
        Ok((announced.connection, Done::default()))
    }
}

/// The token that an act names.
fn token_of(act: &Act) -> Option<u32> {
    match *act {
        Act::Create { token, .. }
        | Act::Destroy { token, .. }
        | Act::SetBackup { token, .. }
        | Act::Announce { token, .. }
        | Act::Remove { token, .. }
        | Act::PathManager { token } => Some(token),
        _ => None,
    }
}

/// The address family of a socket to take control of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketFamily(pub(super) i32);

impl SocketFamily {
    /// Returns the family of a client's socket. The call waits for nothing.
    ///
    /// # Errors
    /// `NotMptcp`.
    pub fn of(sock: BorrowedFd<'_>) -> Result<SocketFamily> {
        let os = |error: io::Error| Error::from_io("broker", &error);
        let option = |name| socket::get_i32(sock, libc::SOL_SOCKET, name).map_err(os);
        let family = option(libc::SO_DOMAIN)?;
        let is_inet = matches!(family, libc::AF_INET | libc::AF_INET6);
        if !is_inet || option(libc::SO_PROTOCOL)? != socket::MPTCP {
            return Err(Error::new(ErrorKind::NotMptcp, "broker"));
        }
        Ok(SocketFamily(family))
    }
}

/// Makes a socket that the client controls. Nothing that the client could lock is between the two writes of
/// the setting: the socket becomes the client's afterwards.
///
/// # Errors
/// Those of `take_control`.
pub(super) fn controlled_socket(SocketFamily(family): SocketFamily, peer: &Peer) -> Result<Done> {
    let os = |error: io::Error| Error::from_io("broker", &error);
    let new = socket::new(family, libc::SOCK_STREAM, socket::MPTCP).map_err(os)?;
    Direct.take_control(new.as_fd()).map_err(|refused| refused.during("broker"))?;
    // Firewalls and routing rules know a socket by its owner. Without CAP_CHOWN it stays the broker's.
    let (uid, gid) = (nix::unistd::Uid::from_raw(peer.uid), nix::unistd::Gid::from_raw(peer.gid));
    let _ = nix::unistd::fchown(new.as_fd(), Some(uid), Some(gid));
    Ok(Done { fd: Some(new), ..Done::default() })
}

/// Makes the calling thread a real-time thread with the lowest priority, or an ordinary one again. Returns
/// whether it may be one. Threads and processes that it makes inherit the priority.
pub fn set_realtime(is_realtime: bool) -> bool {
    take_over::set_realtime(is_realtime)
}

/// Fails unless the subflow belongs to the connection.
fn require_own(connected: Connected<'_>, subflow: SubflowSocket) -> Result<()> {
    let SubflowSocket { local, remote, interface, cookie } = subflow;
    let ends = (local, remote);
    let found = diag_subflow::find_on(connected, ends, interface, Depth::Shallow)
        .map_err(|error| query_error("broker", error))?;
    if found.head.cookie == cookie && connected.token != 0 {
        Ok(())
    } else {
        Err(Error::os("broker", libc::ENOENT))
    }
}

/// Fails unless a subflow of the connection has that cookie.
fn require_subflow(connected: Connected<'_>, cookie: u64) -> Result<()> {
    for subflow in list_fd(connected.sock, "broker")? {
        let found = diag_subflow::find(connected, subflow.ends(), Depth::Shallow);
        if found.is_ok_and(|found| found.head.cookie == cookie) {
            return Ok(());
        }
    }
    Err(Error::new(ErrorKind::NoSuchSubflow, "broker").errno(libc::ENOENT))
}

fn check(right: u16) -> Result<Done> {
    let right = Right::ALL.iter().find(|one| **one as u16 == right).ok_or_else(|| {
        Error::argument("broker", format!("{right} is not the number of a right"))
    })?;
    Direct.check(*right).map(|()| Done::default()).map_err(|missing| {
        Error::new(ErrorKind::NotPermitted, "broker")
            .detail(missing.cause)
            .with_remedy(missing.remedy)
    })
}

/// What the broker itself can do, for its start and for `--check`: each right with the reason if it cannot.
pub fn rights() -> Vec<(&'static str, Option<(String, String)>)> {
    let name = |right| match right {
        Right::Userspace => "userspace_path_manager",
        Right::Steer => "steer",
        Right::TakeControl => "take_control",
        Right::CloseAny => "close_any",
        Right::Follow => "events",
        Right::Options => "options",
    };
    let missing = |right| Direct.check(right).err().map(|missing| (missing.cause, missing.remedy));
    Right::ALL.iter().map(|right| (name(*right), missing(*right))).collect()
}

/// Reports whether a client may set this option: one that a program may set on a socket of its own without
/// a privilege.
pub fn is_harmless(step: &Step) -> bool {
    let value = &step.value[..(step.length as usize).min(step.value.len())];
    match (step.level, step.number) {
        (libc::SOL_SOCKET, libc::SO_MARK) => false,
        _ if !step.is_set => true,
        (libc::SOL_SOCKET, libc::SO_PRIORITY) => <[u8; 4]>::try_from(value)
            .is_ok_and(|value| (0..=6).contains(&i32::from_ne_bytes(value))),
        (libc::IPPROTO_TCP, libc::TCP_CONGESTION) => is_allowed_congestion_control(value),
        (libc::SOL_SOCKET, number) => matches!(
            number,
            libc::SO_SNDBUF
                | libc::SO_RCVBUF
                | libc::SO_KEEPALIVE
                | libc::SO_MAX_PACING_RATE
                | libc::SO_RCVLOWAT
        ),
        (libc::IPPROTO_TCP, number) => matches!(
            number,
            libc::TCP_NODELAY
                | libc::TCP_MAXSEG
                | libc::TCP_KEEPIDLE
                | libc::TCP_KEEPINTVL
                | libc::TCP_KEEPCNT
                | libc::TCP_SYNCNT
                | libc::TCP_WINDOW_CLAMP
                | libc::TCP_USER_TIMEOUT
                | libc::TCP_NOTSENT_LOWAT
                | libc::TCP_THIN_LINEAR_TIMEOUTS
        ),
        (libc::IPPROTO_IP, libc::IP_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => true,
        _ => false,
    }
}

/// Reports whether a program without privileges may choose this congestion control.
fn is_allowed_congestion_control(value: &[u8]) -> bool {
    let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut text = vec![0; 4096];
    let file = ALLOWED_CONGESTION_CONTROL.get();
    let length = file.and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
    let allowed = &text[..length];
    allowed.split(u8::is_ascii_whitespace).any(|one| !one.is_empty() && one == name)
}

static ALLOWED_CONGESTION_CONTROL: OnceLock<File> = OnceLock::new();

/// Opens every file that the acts read and write, because the broker opens none after its start. The process
/// must be in the network namespace that it serves, and stay there.
///
/// # Errors
/// The kernel's error.
pub fn open_files() -> Result<()> {
    let sock = socket::new(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0)
        .map_err(|error| Error::from_io("broker", &error))?;
    take_over::keep(sock.as_fd()).map_err(|error| Error::from_io("broker", &error))?;
    namespace::stay_with(sock.as_fd());
    // Without it, no client may choose another congestion control.
    if let Ok(file) = File::open("/proc/sys/net/ipv4/tcp_allowed_congestion_control") {
        let _ = ALLOWED_CONGESTION_CONTROL.set(file);
    }
    Ok(())
}

/// How many times this process has set `net.mptcp.path_manager` back for one that was killed.
pub fn restored() -> u64 {
    take_over::restored()
}

/// The kernel's number of a stream of events, and what shows whether it still is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamNumber(u32);

impl StreamNumber {
    /// Returns the number of a stream.
    ///
    /// # Errors
    /// The kernel's error.
    pub fn of(stream: BorrowedFd<'_>) -> io::Result<StreamNumber> {
        socket::netlink_port(stream).map(StreamNumber)
    }

    /// Reports whether a process still has the stream open: no other socket can get its number.
    pub fn is_open(self) -> bool {
        let probe = socket::new(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_GENERIC);
        let bound = probe.and_then(|probe| socket::bind_netlink_to(probe.as_fd(), self.0));
        bound.is_err_and(|error| error.raw_os_error() == Some(libc::EADDRINUSE))
    }
}

/// Sets `net.mptcp.path_manager` back if a broker or program that took control was killed in between.
/// Returns whether it was set back.
///
/// # Errors
/// `Busy` if another process holds the lock; `NotPermitted` without the privilege.
pub fn restore() -> Result<bool> {
    take_over::restore(Duration::from_secs(1)).map_err(|error| Error::from_io("restore", &error))
}
