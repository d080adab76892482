//! What `subflows run` does for the program: it makes controlled sockets, opens further paths of their connections, and
//! answers the options of the enhanced socket API.
//!
//! The program asks by a Unix socket, whose path only it knows. A program that has changed its user gets the paths that
//! the user of `subflows run` has asked for, and may not set options of a subflow with that user's rights. A descriptor that it passes is kept only while its paths are being opened, and while the program has it.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{set_socket_timeout, socket_cookie, socket_peercred};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, accept_with, recvmsg, sendmsg,
};
use subflows::{Error, ErrorKind, Family};
use subflows_enhanced::layout;
use subflows_run::{Answer, REQUEST, Request, Value};

use crate::extra_paths::{Paths, Via};
use crate::failure::Failure;
use crate::holders::Holders;

/// The longest wait for a request from a program that has connected.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause while a path waits for its connection to be ready, at first and at most.
const EARLY: Duration = Duration::from_millis(10);
const EARLY_MAX: Duration = Duration::from_millis(160);
/// How often to look whether the program still has a descriptor.
const LOOK: Duration = Duration::from_millis(100);
/// The pause after an error of accept(2), such as too many open descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection of the program.
struct Client {
    cookie: u64,
    work: Work,
    holders: Holders,
    /// When to look again whether the program still has it.
    look_at: Instant,
}

enum Work {
    /// Its paths are being opened.
    Paths(Paths),
    /// The program uses the enhanced socket API, which refers to the descriptor between the calls.
    Enhanced(OwnedFd),
}

/// Checks that this process could act: makes a controlled socket, and closes it.
pub(crate) fn require_control() -> Result<(), Failure> {
    controlled(Family::V4).map(drop).map_err(Failure::from)
}

fn controlled(family: Family) -> subflows::Result<OwnedFd> {
    let sock = subflows::socket(family)?;
    subflows::take_control(&sock)?;
    Ok(sock)
}

/// Acts for programs: opens these paths of each connection, and lets the program open others.
pub(crate) fn serve(listener: &OwnedFd, wanted: &[Via]) -> ! {
    let mut clients: Vec<Client> = Vec::new();
    let mut early = EARLY;
    loop {
        let count = clients.len();
        loop {
            match accept_with(listener, SocketFlags::CLOEXEC) {
                // The program may have ended: then it does not need the answer.
                Ok(session) => drop(handle(&session, &mut clients, wanted)),
                Err(rustix::io::Errno::AGAIN) => break,
                Err(_) => {
                    thread::sleep(PAUSE);
                    break;
                }
            }
        }
        early = if clients.len() > count { EARLY } else { EARLY_MAX.min(early * 2) };
        let now = Instant::now();
        // A path that cannot be opened is left out: the program goes on without it, and nothing is printed.
        clients.retain_mut(|client| {
            let has_more = match &mut client.work {
                Work::Paths(paths) => {
                    paths.advance(|_, _| ());
                    !paths.is_done()
                }
                Work::Enhanced(_) => true,
            };
            has_more && client.is_held(now)
        });
        wait(listener, &mut clients, early);
    }
}

impl Client {
    /// Whether the program has the descriptor. Looks only now and then.
    fn is_held(&mut self, now: Instant) -> bool {
        if now < self.look_at {
            return true;
        }
        self.look_at = now + LOOK;
        self.holders.has_any()
    }
}

fn wait(listener: &OwnedFd, clients: &mut [Client], early: Duration) {
    let mut deadlines = Vec::new();
    let mut entries = vec![PollFd::new(listener, PollFlags::IN)];
    for client in clients {
        deadlines.push(client.look_at);
        let Work::Paths(paths) = &mut client.work else { continue };
        deadlines.extend(paths.deadline());
        deadlines.extend(paths.is_early().then(|| Instant::now() + early));
        let opened = paths.fds();
        entries.extend(opened.into_iter().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    }
    let deadline = deadlines.into_iter().min();
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    // An interrupted wait is a short one.
    let _ = poll(&mut entries, left.as_ref());
}

/// Reads a request, and answers it.
fn handle(session: &OwnedFd, clients: &mut Vec<Client>, wanted: &[Via]) -> io::Result<()> {
    use rustix::net::sockopt::Timeout;
    set_socket_timeout(session, Timeout::Recv, Some(PATIENCE))?;
    let mut message = [0; REQUEST];
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut room);
    let mut parts = [IoSliceMut::new(&mut message)];
    let received = recvmsg(session, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut fds = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    let passed: Option<OwnedFd> = fds.by_ref().flatten().next();
    let request = message.get(..received.bytes).and_then(Request::parse);
    let request = request.filter(|request| request.has_socket() == passed.is_some());
    let Some(request) = request else { return Err(io::ErrorKind::InvalidData.into()) };
    let (answer, made) = match perform(request, passed, session, clients, wanted) {
        Ok((value, made)) => (Answer { error: 0, value: Value::of(&value) }, made),
        Err(error) => (Answer { error, value: Value::of(&[]) }, None),
    };
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut room);
    let fds: Vec<BorrowedFd<'_>> = made.iter().map(AsFd::as_fd).collect();
    if !fds.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    }
    sendmsg(session, &[IoSlice::new(&answer.encode())], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// The value and the descriptor of an answer, or the number of an error.
type Performed = Result<(Vec<u8>, Option<OwnedFd>), i32>;

fn perform(
    request: Request,
    passed: Option<OwnedFd>,
    session: &OwnedFd,
    clients: &mut Vec<Client>,
    wanted: &[Via],
) -> Performed {
    let nothing = Ok((Vec::new(), None));
    match (request, passed) {
        (Request::Control, Some(sock)) => {
            let before = cookie_of(&sock)?;
            subflows::take_control(&sock).map_err(|error| errno(&error))?;
            // A broker has replaced the socket.
            let other = (cookie_of(&sock)? != before).then_some(sock);
            Ok((Vec::new(), other))
        }
        (Request::Closed { cookie }, _) => {
            clients.retain_mut(|client| client.cookie != cookie || client.holders.has_any());
            nothing
        }
        (Request::Connected, Some(sock)) => {
            if !wanted.is_empty() {
                let (cookie, holders) =
                    (cookie_of(&sock)?, Holders::of(&sock, program_of(session)));
                let paths = Paths::new(Arc::new(TcpStream::from(sock)), wanted.iter().cloned());
                let (work, look_at) = (Work::Paths(paths), Instant::now() + LOOK);
                clients.push(Client { cookie, work, holders, look_at });
            }
            nothing
        }
        (Request::SetOfSubflow { .. }, _) if !is_of_this_user(session) => {
            Err(rustix::io::Errno::PERM.raw_os_error())
        }
        (request, Some(sock)) => {
            let cookie = cookie_of(&sock)?;
            let is_it = |client: &&Client| {
                client.cookie == cookie && matches!(client.work, Work::Enhanced(_))
            };
            if clients.iter().find(is_it).is_none() {
                let holders = Holders::of(&sock, program_of(session));
                let (work, look_at) = (Work::Enhanced(sock), Instant::now() + LOOK);
                clients.push(Client { cookie, work, holders, look_at });
            }
            match clients.iter().find(is_it).map(|client| &client.work) {
                Some(Work::Enhanced(sock)) => Ok((enhanced(request, sock)?, None)),
                _ => nothing,
            }
        }
        _ => nothing,
    }
}

/// The process that is connected.
fn program_of(session: &OwnedFd) -> Option<i32> {
    socket_peercred(session).ok().map(|peer| peer.pid.as_raw_nonzero().get())
}

/// Whether the process that is connected has not changed its user.
fn is_of_this_user(session: &OwnedFd) -> bool {
    socket_peercred(session).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

fn cookie_of(sock: &OwnedFd) -> Result<u64, i32> {
    socket_cookie(sock).map_err(rustix::io::Errno::raw_os_error)
}

/// Answers an option of the enhanced socket API, with the value that getsockopt(2) would write.
fn enhanced(request: Request, sock: &OwnedFd) -> Result<Vec<u8>, i32> {
    let sock = sock.as_fd();
    let invalid = rustix::io::Errno::INVAL.raw_os_error();
    match request {
        Request::Get { option: layout::GET_SUB_IDS, room, .. } => {
            let mut value = vec![0; room.min(512) as usize];
            let length = layout::write_ids(&subflows_enhanced::ids(sock)?, &mut value);
            value.truncate(length.ok_or(invalid)?);
            Ok(value)
        }
        Request::Get { option: layout::CLOSE_SUB_ID, value, .. } => {
            subflows_enhanced::require_mptcp(sock)?;
            subflows_enhanced::close(sock, *value.bytes().first().ok_or(invalid)?)?;
            Ok(value.bytes().to_vec())
        }
        Request::Get { option: layout::GET_SUB_TUPLE, value, room } => {
            subflows_enhanced::require_mptcp(sock)?;
            let id = *value.bytes().first().ok_or(invalid)?;
            let (local, remote) = subflows_enhanced::tuple(sock, id)?;
            let mut tuple = vec![0; (room as usize).min(layout::TUPLE_V6)];
            let length = layout::write_tuple(id, local, remote, &mut tuple);
            tuple.truncate(length.ok_or(invalid)?);
            Ok(tuple)
        }
        Request::Get { option: layout::OPEN_SUB_TUPLE, value, room } => {
            subflows_enhanced::require_mptcp(sock)?;
            let is_whole = room as usize == value.bytes().len();
            let ends = layout::read_tuple(value.bytes()).filter(|_| is_whole);
            let (local, remote) = ends.ok_or(invalid)?;
            let mut tuple = value.bytes().to_vec();
            tuple[0] = subflows_enhanced::open(sock, local, remote)?;
            Ok(tuple)
        }
        Request::Get { option, room, .. } => {
            let mut value = vec![0; (room as usize).min(layout::NAME_MAX)];
            let length = subflows_enhanced::get_legacy(sock, option, &mut value)?;
            value.truncate(length);
            Ok(value)
        }
        Request::Set { option, value } => {
            subflows_enhanced::set_legacy(sock, option, value.bytes()).map(|()| Vec::new())
        }
        Request::GetOfSubflow { id, level, option, room } => {
            let mut value = vec![0; (room as usize).min(subflows_run::LONG_VALUE)];
            let length = subflows_enhanced::get_option(sock, id, level, option, &mut value)?;
            value.truncate(length);
            Ok(value)
        }
        Request::SetOfSubflow { id, level, option, value } => {
            let set = subflows_enhanced::set_option(sock, id, level, option, value.bytes());
            set.map(|()| Vec::new())
        }
        Request::Counters { part, length } => {
            let most = subflows_run::LONG_VALUE - layout::SUB_INFO;
            let info = subflows_enhanced::info(sock, most.min(length as usize))?;
            let Some(place) = (part as usize).checked_sub(1) else { return Ok(info.meta.to_vec()) };
            // Past the last one, nothing.
            let counters = info.subflows.get(place).zip(info.addresses.get(place));
            Ok(counters.map_or(Vec::new(), |(tcp, ends)| [&ends[..], tcp].concat()))
        }
        _ => Err(invalid),
    }
}

fn errno(error: &Error) -> i32 {
    let number = match error.kind() {
        ErrorKind::NotPermitted => rustix::io::Errno::PERM,
        _ => rustix::io::Errno::IO,
    };
    error.raw_os_error().unwrap_or(number.raw_os_error())
}
