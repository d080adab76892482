//! What a hostile reading of the service has found.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Stdio};
use std::thread;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use subflows::ErrorKind;
use subflows::broker::{Act, Request};
use subflows_lab::{Net, skip_unless_ready, wait_until};
use tempfile::TempDir;

use crate::common::{Folder, Pair, SOON, SUBFLOWS, as_nobody, subflows};
use crate::served::{
    CHECK, NOBODY, Served, Session, become_user, is_served_by, net, net_with_broker, new_session,
};
use crate::trap::is_readable;
use crate::{EVERYONE, acts, kind};

/// The broker removed any file at the path of its socket.
#[test]
fn a_file_at_the_path_of_the_socket_stays() {
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let folder = TempDir::new().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "precious").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&file, &link).unwrap();
    for path in [&file, &link] {
        let run = subflows(&net.client, &["broker", "--socket", path.to_str().unwrap()]);
        assert!(run.code == Some(1) && run.stderr.contains("not a socket"), "{run:?}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

/// The kernel counts the descriptors of unread answers for root, up to the broker's limit of descriptors:
/// then no client gets any.
#[test]
fn a_client_has_one_unread_answer_at_most() {
    let Some((net, served)) = net_with_broker(EVERYONE) else { return };
    let own = Pair::new(&net, net.paths[0].server_ips()[0], true);
    let session = served.session_of(NOBODY);
    let request = Request { number: 1, act: Act::Events }.encode();
    wait_until(SOON, "the session ends", || {
        session.send(&request, &[own.client.as_fd()]) == Err(nix::errno::Errno::EPIPE)
    });
    let answers = (0..4).filter_map(|_| session.receive()).count();
    assert!(answers <= 1, "{answers} answers");
}

/// The control group was read by the number of the process that had connected, which may have been that of
/// another process by then.
#[test]
fn the_control_group_is_that_of_the_process_that_connected() {
    use nix::sys::socket::{UnixAddr, connect};
    use nix::sys::wait::waitpid;
    use nix::unistd::{ForkResult, fork};
    let Some((net, served)) = net_with_broker("[[allow]]\ncgroups = [\"/\"]\n") else { return };
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let (session, address) = (new_session(), UnixAddr::new(&served.path()).unwrap());
    // Stopped until the process has ended.
    served.signal(nix::sys::signal::Signal::SIGSTOP);
    // SAFETY: the child makes system calls only, and ends without running destructors.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            become_user(NOBODY);
            let fd = std::os::fd::AsRawFd::as_raw_fd(&session);
            let status = i32::from(connect(fd, &address).is_err());
            // SAFETY: takes a number.
            unsafe { libc::_exit(status) }
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).unwrap();
            assert!(matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0)), "{status:?}");
        }
    }
    served.signal(nix::sys::signal::Signal::SIGCONT);
    let answer = Session::from(session).ask(CHECK, &[sock.as_fd()]);
    assert_eq!(kind(answer), ErrorKind::NotPermitted, "{}", served.log());
}

/// A broker that was killed in the middle of an act leaves its listening socket to the child process of the act, for
/// as long as that lives. The next broker found the socket open and did not start.
#[test]
fn the_child_of_a_killed_broker_does_not_keep_the_next_one_from_starting() {
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{Backlog, UnixAddr, bind, listen};
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};
    skip_unless_ready!();
    let net = Net::two_subnets().unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let left = new_session();
    bind(left.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
    // The kernel notes who listens: here a process that has ended, whose descriptor another one has.
    // SAFETY: the child makes system calls only, and ends without running destructors.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let status = i32::from(listen(&left, Backlog::MAXCONN).is_err());
            // SAFETY: takes a number.
            unsafe { libc::_exit(status) }
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).unwrap();
            assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
        }
    }
    let mut command = net.client.command(SUBFLOWS);
    command.args(["broker", "--socket"]).arg(&path).stderr(std::process::Stdio::null());
    let mut process = command.spawn().unwrap();
    wait_until(SOON, "the broker listens", || {
        let ended = process.try_wait().unwrap();
        assert!(ended.is_none(), "the broker has ended: {ended:?}");
        is_served_by(&process, &path)
    });
    // One that is alive keeps its socket.
    let run = subflows(&net.client, &["broker", "--socket", path.to_str().unwrap()]);
    assert!(run.code == Some(1) && run.stderr.contains("another broker"), "{run:?}");
    process.kill().unwrap();
    process.wait().unwrap();
}

/// A client passes its socket, and connects it to another peer between two requests: the token of the connection
/// before counts no more, and the stream of its events stays silent.
#[test]
fn a_socket_that_is_connected_again_is_another_connection() {
    use std::os::fd::AsRawFd;
    let Some(net) = net() else { return };
    // Otherwise the second connection would not be under control, and each act would fail for that reason.
    net.client.set_sysctl("net.mptcp.path_manager", "userspace").unwrap();
    let served = Served::start(&net.client, EVERYONE);
    let own = Pair::new(&net, net.paths[0].server_ips()[0], true);
    let before = acts(&net, &own.client);
    let session = served.session_of(NOBODY);
    let fds = [own.client.as_fd()];
    let announce = before.iter().find(|act| matches!(act, Act::Announce { .. })).unwrap();
    let handle = session.ask(announce.clone(), &fds).unwrap().result.expect("announced");
    let (answer, stream) = session.ask_for_fd(Act::Events, &fds).unwrap();
    assert_eq!(answer.result, Ok(0));
    let stream = stream.expect("a stream");

    let nowhere = libc::sockaddr { sa_family: libc::AF_UNSPEC as u16, sa_data: [0; 14] };
    let length = std::mem::size_of_val(&nowhere) as u32;
    // SAFETY: the pointer and the length describe `nowhere`.
    let result = unsafe { libc::connect(own.client.as_raw_fd(), &nowhere, length) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    let address = own.listener.local_addr().unwrap();
    let std::net::SocketAddr::V4(address) = address else { panic!("{address}") };
    nix::sys::socket::connect(own.client.as_raw_fd(), &nix::sys::socket::SockaddrIn::from(address))
        .unwrap();
    let (server, _) = own.listener.accept().unwrap();
    let again = Pair { server, ..own };
    again.move_data();

    // The stream still has the events of the end of the previous connection: they are read first.
    let mut bytes = [0; 4096];
    while is_readable(stream.as_fd()) {
        nix::unistd::read(&stream, &mut bytes).unwrap();
    }
    let fds = [again.client.as_fd()];
    for act in before {
        let refusal = session.ask(act.clone(), &fds).unwrap().result.unwrap_err();
        assert_eq!(refusal.errno, libc::EINVAL, "{act:?}");
    }
    let refusal = session.ask(Act::Withdraw { handle }, &[]).unwrap().result.unwrap_err();
    assert_eq!(refusal.errno, libc::EINVAL);
    // An act on the new connection makes events, of which the stream has none.
    let after = acts(&net, &again.client);
    let create = after.iter().find(|act| matches!(act, Act::Create { .. })).unwrap();
    session.ask(create.clone(), &fds).unwrap().result.expect("of the new connection");
    wait_until(SOON, "the subflow is established", || {
        net.client.run(|| subflows::list(&again.client)).unwrap().len() == 2
    });
    again.move_data();
    assert!(!is_readable(stream.as_fd()));
    served.serves_at_once(&net);
}

/// A program of the same user had more descriptors in unread messages than the client may have open. The client
/// reported at once that the broker did not run.
#[test]
fn unread_descriptors_of_the_user_delay_a_client_at_most() {
    let Some((net, served)) = net_with_broker(EVERYONE) else {
        return;
    };
    let folder = Folder::new();
    let (command, path) = (folder.command(), served.path());
    let nobody = |program: &str, arguments: &[&str]| {
        let mut nobody = net.client.command("setpriv");
        as_nobody(&mut nobody, program);
        nobody.args(arguments).env("SUBFLOWS_BROKER", &path);
        nobody.stdout(Stdio::piped()).stderr(Stdio::piped());
        nobody
    };
    let hold = || {
        become_user(NOBODY);
        let unread =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC);
        let (holder, unread) = unread.unwrap();
        let (holder, file) = (Session::from(holder), File::open("/dev/null").unwrap());
        for _ in 0..8 {
            holder.send(b"?", &[file.as_fd(); 100]).unwrap();
        }
        (holder, unread)
    };
    let (before, held) = (served.count("fd"), thread::scope(|scope| scope.spawn(hold).join()));
    let held = held.unwrap();
    let list = ["--nofile=400", command.as_str(), "capabilities"];
    let answers = |client: Child| {
        let output = client.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).unwrap()
    };
    let text = answers(nobody("prlimit", &list).spawn().unwrap());
    assert!(text.contains("RLIMIT_NOFILE"), "{text}");
    wait_until(SOON, "the session to end", || served.count("fd") == before);
    let waiting = nobody("prlimit", &list).spawn().unwrap();
    wait_until(SOON, "a session", || served.count("fd") > before);
    drop(held);
    let text = answers(waiting);
    assert!(text.lines().any(|line| line.starts_with("steer") && line.contains("yes")), "{text}");
}
