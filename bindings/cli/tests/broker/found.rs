//! What a hostile reading of the service has found.

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};

use subflows::ErrorKind;
use subflows::broker::{Act, Request};
use subflows_lab::{Net, skip_unless_ready, wait_until};
use tempfile::TempDir;

use crate::common::{Pair, SOON, has_nobody, subflows};
use crate::served::{CHECK, NOBODY, Served, Session, become_user, new_session};
use crate::{EVERYONE, kind};

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
    skip_unless_ready!();
    if !has_nobody() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let served = Served::start(&net.client, EVERYONE);
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
    skip_unless_ready!();
    if !has_nobody() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let served = Served::start(&net.client, "[[allow]]\ncgroups = [\"/\"]\n");
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let (session, address) = (new_session(), UnixAddr::new(&served.path()).unwrap());
    // Stopped until the process has ended.
    let signal = |signal| {
        let process = nix::unistd::Pid::from_raw(served.process.id() as i32);
        nix::sys::signal::kill(process, signal).unwrap();
    };
    signal(nix::sys::signal::Signal::SIGSTOP);
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
    signal(nix::sys::signal::Signal::SIGCONT);
    let answer = Session::from(session).ask(CHECK, &[sock.as_fd()]);
    assert_eq!(kind(answer), ErrorKind::NotPermitted, "{}", served.log());
}
