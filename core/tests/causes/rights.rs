//! The missing right is found before anything is changed.

use std::net::SocketAddr;
use std::thread;

use subflows::{Connect, ErrorKind, Listen, Open, PathManager};
use subflows_lab::{Namespace, skip_unless_ready};

use crate::common::deny::give_up_net_admin;
use crate::common::{LOOPBACK, connect_between, is_without, userspace};
use crate::{fails_with, lacks};

const TEXT: &str = "lacks CAP_NET_ADMIN";
const REMEDY: &str = "CAP_NET_ADMIN";

/// Runs this in a thread of the namespace that is root without CAP_NET_ADMIN.
fn without_the_right(namespace: &Namespace, play: impl FnOnce() + Send) {
    let played = thread::scope(|scope| {
        let inside = || {
            let _entered = namespace.enter().unwrap();
            give_up_net_admin();
            play();
        };
        scope.spawn(inside).join()
    });
    if let Err(panic) = played {
        std::panic::resume_unwind(panic);
    }
}

/// Root may write /proc/sys/net without the right: the connection once was under control that no one had,
/// and had lost the kernel's paths.
#[test]
fn root_without_the_right_once_took_control_that_it_could_not_use() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    without_the_right(&namespace, || {
        for ip in LOOPBACK {
            let listener = subflows::listen((ip, 0), &Listen::new()).unwrap();
            let to = listener.local_addr().unwrap();
            let control = Connect::new().control(true);
            fails_with(subflows::connect(to, &control), ErrorKind::NotPermitted, TEXT, REMEDY);
            let sock = subflows::socket(to).unwrap();
            fails_with(subflows::take_control(&sock), ErrorKind::NotPermitted, TEXT, REMEDY);
            let client = subflows::connect(to, &Connect::new()).unwrap();
            let manager = subflows::status(&client).unwrap().path_manager;
            // Before Linux 6.10 only a process with the right can ask.
            let hidden = PathManager::Unknown;
            let is_hidden = manager == hidden && is_without("addresses_by_token");
            assert!(manager == PathManager::Kernel || is_hidden, "{manager:?}");
        }
        for name in ["steer", "take_control", "close_any", "events"] {
            lacks(name, TEXT, REMEDY);
        }
    });
}

/// If the namespace is set to it, a socket is controlled in any case: nothing is changed.
#[test]
fn root_without_the_right_takes_what_the_namespace_gives() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    userspace(&namespace);
    without_the_right(&namespace, || {
        for ip in LOOPBACK {
            subflows::take_control(&subflows::socket(SocketAddr::new(ip, 0)).unwrap()).unwrap();
        }
    });
}

/// The remedy was once to take control before connecting, which is not possible for an accepted connection.
#[test]
fn an_accepted_connection_names_the_setting_of_the_host() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    for ip in LOOPBACK {
        let pair = connect_between(&namespace, &namespace, ip, &Connect::new());
        pair.make_ready();
        let (kind, text) = (ErrorKind::NotControlled, "the kernel's path manager manages this");
        let open = |sock| namespace.run(|| subflows::open(sock, &Open::new()));
        fails_with(open(&pair.server), kind, "accepted", "path_manager=userspace");
        fails_with(open(&pair.client), kind, text, "`take_control`");
        let announce = namespace.run(|| subflows::announce(&pair.server, ip, &Default::default()));
        fails_with(announce, kind, "accepted", "path_manager=userspace");
        let id = namespace.run(|| subflows::list(&pair.server)).unwrap()[0].id;
        let backup = namespace.run(|| subflows::set_backup(&pair.server, id, true));
        fails_with(backup, kind, "accepted", "path_manager=userspace");
    }
}
