//! Without these, a program that takes control and is killed could leave the whole namespace
//! changed, take control without effect, or lose the options of its socket.

#[path = "../common/mod.rs"]
mod common;

mod claims;
mod crash;
mod filtered;
mod kept;
mod refused;
mod rights;

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Pair, judge, raw};
use subflows::{Family, Listen, Open};
use subflows_lab::{Namespace, path_manager_setting};

use common::LOOPBACK;
use common::ways::initial;

/// The setting that is switched, read without the library.
fn setting(namespace: &Namespace) -> String {
    let setting = path_manager_setting();
    let value = namespace.run(|| std::fs::read_to_string(setting.file)).unwrap();
    setting.name(&value).to_owned()
}

/// Ends the threads that run during a test, also if the test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A socket of the namespace, under control.
fn taken(namespace: &Namespace, ip: IpAddr) -> OwnedFd {
    let sock = namespace.run(|| socket(ip));
    namespace.run(|| subflows::take_control(&sock)).unwrap();
    sock
}

/// A socket for addresses of this family, made in the namespace of the calling thread.
fn socket(ip: IpAddr) -> OwnedFd {
    subflows::socket(Family::from(SocketAddr::new(ip, 0))).unwrap()
}

/// Connects a socket, for which `take_control` has succeeded, to a listener in the namespace.
fn connected(namespace: &Namespace, sock: OwnedFd, ip: IpAddr) -> Pair {
    let listener = namespace.run(|| subflows::listen((ip, 0), &Listen::new())).unwrap();
    raw::connect(&sock, listener.local_addr().unwrap()).unwrap();
    let pair = Pair::accept(sock, listener);
    pair.make_ready();
    pair
}

/// Proves that the socket is controlled: a subflow can be opened, and ss shows it.
#[track_caller]
fn prove(namespace: &Namespace, sock: OwnedFd, ip: IpAddr) -> Pair {
    let pair = connected(namespace, sock, ip);
    let extra = namespace.run(|| subflows::open(&pair.client, &Open::new())).unwrap();
    let shown = judge::by_ss(namespace, judge::token(&pair.client));
    let mut expected = initial(&pair);
    expected.insert(judge::ends_of(&extra));
    assert_eq!(shown, expected);
    pair
}
