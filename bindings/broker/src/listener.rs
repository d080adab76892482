//! The socket on which the broker listens.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Group, getegid, setegid};

use subflows::broker::ServerSession;

use crate::permissions::{GROUP, Policy};
use crate::{Failure, SOCKET};

/// How many clients may wait to be accepted. Further ones wait in connect, where they cost nothing; a longer queue
/// would be filled by one client that begins sessions without end.
const BACKLOG: i32 = 128;

/// Takes the socket of systemd (`Sockets=`), or makes one at that path.
pub(crate) fn open(path: &Path, policy: &Policy) -> Result<OwnedFd, Failure> {
    let failed = |what: &str, error: String| {
        Failure::new(
            format!("{}: {what} ({error})", path.display()),
            "Run the broker as root, or pass another path: --socket PATH.",
        )
    };
    let os = |what: &'static str| move |error: nix::Error| failed(what, error.desc().to_owned());
    let io = |what: &'static str| move |error: std::io::Error| failed(what, error.to_string());
    if let Some(given) = from_systemd() {
        return Ok(given);
    }
    let kind = SockType::SeqPacket;
    let sock = socket(AddressFamily::Unix, kind, SockFlag::SOCK_CLOEXEC, None)
        .map_err(os("no socket can be made"))?;
    let address = UnixAddr::new(path).map_err(os("this is not the path of a socket"))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io("its folder cannot be made"))?;
        // The library makes this folder as well, for root only. Another one is the administrator's.
        if path == Path::new(SOCKET) {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
                .map_err(io("its folder cannot be opened to others"))?;
        }
    }
    if let Ok(file) = fs::symlink_metadata(path) {
        if has_living_broker(&address).map_err(os("no socket can be made"))? {
            return Err(Failure::new(
                format!("{}: another broker is listening there", path.display()),
                "Stop it, or pass another path: --socket PATH.",
            ));
        }
        if !file.file_type().is_socket() {
            return Err(Failure::new(
                format!("{}: this file is not a socket", path.display()),
                "Remove it, or pass another path: --socket PATH.",
            ));
        }
        fs::remove_file(path).map_err(io("the old socket cannot be removed"))?;
    }
    let group = if policy.is_usual {
        Group::from_name(GROUP).ok().flatten().map(|group| group.gid)
    } else {
        None
    };
    let others = if policy.is_usual { Mode::S_IRWXO } else { Mode::empty() };
    with_owner(others, group, || bind(sock.as_raw_fd(), &address))
        .map_err(os("the socket cannot be made"))?;
    let backlog = Backlog::new(BACKLOG).unwrap_or(Backlog::MAXCONN);
    listen(&sock, backlog).map_err(os("the socket cannot listen"))?;
    Ok(sock)
}

/// Reports whether a living process listens at an address.
///
/// A broker that was killed leaves the file, and for a moment the socket as well: the child process that it made for
/// an act has all its descriptors.
fn has_living_broker(address: &UnixAddr) -> nix::Result<bool> {
    /// How long to try if too many clients wait to be accepted.
    const PATIENCE: Duration = Duration::from_secs(1);
    const PAUSE: Duration = Duration::from_millis(10);
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let probe = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
        match connect(probe.as_raw_fd(), address) {
            Ok(()) => return Ok(ServerSession::new(probe).has_living_peer()),
            Err(Errno::EAGAIN) if Instant::now() < deadline => thread::sleep(PAUSE),
            Err(error) => return Ok(error == Errno::EAGAIN),
        }
    }
}

/// Makes the file of a socket with that group, and without execution and the permissions that are `denied`.
///
/// The file has them from the beginning. If they were set afterwards, a program that may write in the folder,
/// such as root of a container, could have put a link to another file in its place.
pub(crate) fn with_owner<T>(
    denied: Mode,
    group: Option<Gid>,
    make: impl FnOnce() -> nix::Result<T>,
) -> nix::Result<T> {
    let (before, own) = (umask(Mode::from_bits_truncate(0o111) | denied), getegid());
    let entered = group.map_or(Ok(()), setegid);
    let made = entered.and_then(|()| make());
    umask(before);
    setegid(own)?;
    made
}

/// Returns the socket of a systemd unit (`subflows-broker.socket`): the first descriptor that it passes.
fn from_systemd() -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    const FIRST: i32 = 3;
    let is_for_this =
        std::env::var("LISTEN_PID").is_ok_and(|pid| pid == std::process::id().to_string());
    let this = is_for_this.then(|| pidfd_open(getpid(), PidfdFlags::empty()).ok())?;
    pidfd_getfd(this?, FIRST, PidfdGetfdFlags::empty()).ok()
}

/// Opens the socket by which systemd learns that the broker is ready (`Type=notify`), while files can still be
/// opened.
pub(crate) fn notifier() -> Option<UnixDatagram> {
    let path = std::env::var_os("NOTIFY_SOCKET")?;
    let address = match path.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let notifier = UnixDatagram::unbound().ok()?;
    notifier.connect_addr(&address.ok()?).ok()?;
    Some(notifier)
}

/// Reports to systemd that the broker is ready.
pub(crate) fn notify_ready(notifier: Option<UnixDatagram>) {
    if let Some(notifier) = notifier {
        // systemd then reports that the service did not start.
        let _ = notifier.send(b"READY=1");
    }
}
