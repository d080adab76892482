//! `take_control` fails: the lock is held, the setting cannot be written, or the socket belongs to
//! another namespace.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use subflows::{Connect, ErrorKind, Family, Listen};
use subflows_lab::{Namespace, path_manager_setting, skip_unless_ready, wait_until};

use crate::common::child::Guarded;
use crate::common::{SOON, capability, expect_error, userspace};
use crate::kept::{watch, writes};
use crate::{LOOPBACK, Over, prove, setting, socket};

/// A process that holds the lock until its input ends. Any user can lock the file of a namespace that
/// they are in.
fn hold_the_lock(namespace: &Namespace) -> Guarded {
    let mut holder = namespace.command("flock");
    holder.args(["/proc/self/ns/net", "sh", "-c", "echo held; read line"]);
    let mut holder = Guarded(holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut said = String::new();
    BufReader::new(holder.0.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "held\n");
    holder
}

#[test]
fn a_lock_that_is_never_released_is_not_waited_for() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let mut holder = hold_the_lock(&namespace);
    let socks = LOOPBACK.map(|ip| namespace.run(|| socket(ip)));
    for sock in &socks {
        let start = Instant::now();
        expect_error(namespace.run(|| subflows::take_control(sock)), ErrorKind::Busy);
        let elapsed = start.elapsed();
        assert!((Duration::from_millis(500)..Duration::from_secs(2)).contains(&elapsed));
        assert_eq!(setting(&namespace), "kernel");
    }
    // Calls without control are not affected.
    let listener = namespace.run(|| subflows::listen("127.0.0.1:0", &Listen::new())).unwrap();
    let address = listener.local_addr().unwrap();
    namespace.run(|| subflows::connect(address, &Connect::new())).unwrap();
    expect_error(
        namespace.run(|| subflows::connect(address, &Connect::new().control(true))),
        ErrorKind::Busy,
    );

    // If the lock is released while `take_control` waits for it, control is taken.
    thread::scope(|scope| {
        let waits = scope.spawn(|| namespace.run(|| subflows::take_control(&socks[0])));
        wait_until(SOON, "the holder to end", || {
            drop(holder.0.stdin.take());
            holder.0.try_wait().unwrap().is_some()
        });
        waits.join().unwrap().unwrap();
    });
    for (sock, ip) in socks.into_iter().zip(LOOPBACK) {
        namespace.run(|| subflows::take_control(&sock)).unwrap();
        prove(&namespace, sock, ip);
    }
}

/// Calls `f` in the namespace on a thread that sees /proc/sys as containers do.
fn in_a_container<T: Send>(namespace: &Namespace, f: impl FnOnce() -> T + Send) -> T {
    namespace.run(|| {
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some("/proc/sys"), "/proc/sys", none, bind, none).unwrap();
        let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(none, "/proc/sys", none, read_only, none).unwrap();
        f()
    })
}

#[test]
fn in_a_container_the_remedy_is_the_right_one() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    in_a_container(&namespace, || {
        let setting = path_manager_setting();
        let written = std::fs::write(setting.file, setting.userspace);
        assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::EROFS));
        for ip in LOOPBACK {
            let sock = socket(ip);
            let error = expect_error(subflows::take_control(&sock), ErrorKind::NotPermitted);
            assert_eq!(error.raw_os_error(), Some(libc::EROFS));
            assert!(error.remedy().contains("--sysctl"), "{}", error.remedy());
            let asked = capability("take_control");
            let remedy = asked.remedy.as_deref().unwrap_or_default();
            assert!(!asked.is_available && remedy.contains("--sysctl"), "{asked:?}");
        }
    });
    assert_eq!(setting(&namespace), "kernel");
}

#[test]
fn in_a_container_that_did_it_control_is_taken() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let before = LOOPBACK.map(|ip| namespace.run(|| socket(ip)));
    userspace(&namespace);
    for (sock, ip) in before.into_iter().zip(LOOPBACK) {
        in_a_container(&namespace, || {
            subflows::take_control(&sock).unwrap();
            assert!(capability("take_control").is_available);
        });
        prove(&namespace, sock, ip);
    }
}

#[test]
fn a_socket_of_another_namespace_is_left_alone() {
    skip_unless_ready!();
    let (here, there) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    for ip in LOOPBACK {
        let sock = there.run(|| socket(ip));
        expect_error(here.run(|| subflows::take_control(&sock)), ErrorKind::OtherNamespace);
        there.run(|| subflows::take_control(&sock)).unwrap();
        prove(&there, sock, ip);
    }
    assert_eq!((setting(&here), setting(&there)), ("kernel".into(), "kernel".into()));
}

/// The netlink socket that the thread had kept once answered for the namespace that the thread had
/// left. The library then switched the setting of the namespace that the thread had entered.
#[test]
fn the_present_namespace_was_switched_for_a_socket_of_the_former() {
    skip_unless_ready!();
    // With a limit of 0 no check shows whether control was taken: success was once returned.
    for limit in ["2", "0"] {
        let (former, present) = (Namespace::new().unwrap(), Namespace::new().unwrap());
        former.ip(&["mptcp", "limits", "set", "subflows", limit]).unwrap();
        let watch = watch(&present);
        for ip in LOOPBACK {
            let _before = former.enter().unwrap();
            let sock = socket(ip);
            subflows::take_control(&socket(ip)).unwrap();
            let after = present.enter().unwrap();
            expect_error(subflows::take_control(&sock), ErrorKind::OtherNamespace);
            assert_eq!(writes(&watch), 0);
            // Sockets of the present namespace are controlled.
            subflows::take_control(&socket(ip)).unwrap();
            assert!(writes(&watch) > 0, "the watch reported nothing");
            drop(after);
            subflows::take_control(&sock).unwrap();
            if limit != "0" {
                prove(&former, sock, ip);
            }
        }
        assert_eq!([setting(&former), setting(&present)], ["kernel", "kernel"]);
    }
}

/// The kernel lets a reader see a value that is only half written.
#[test]
fn a_value_that_is_being_written_is_no_unknown_one() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let is_over = AtomicBool::new(false);
    let mut claimed = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let _entered = namespace.enter().unwrap();
            let setting = path_manager_setting();
            let file = OpenOptions::new().write(true).open(setting.file).unwrap();
            while !is_over.load(Ordering::Relaxed) {
                for value in [setting.userspace, setting.kernel] {
                    file.write_all_at(value.as_bytes(), 0).unwrap();
                }
            }
        });
        let _over = Over(&is_over);
        let _entered = namespace.enter().unwrap();
        for _ in 0..500 {
            let sock = subflows::socket(Family::V4).unwrap();
            match subflows::take_control(&sock) {
                Ok(()) => claimed.push(sock),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error}"),
            }
            let asked = capability("take_control");
            assert!(asked.is_available, "{asked:?}");
        }
    });
    // Each socket for which `take_control` succeeded is controlled, whatever the setting was at the
    // time.
    println!("{} of 500 were taken", claimed.len());
    for sock in claimed.into_iter().take(100) {
        prove(&namespace, sock, ip);
    }
}

/// Each address of a name waited for the lock once more.
#[test]
fn a_second_was_waited_for_each_address() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let _holder = hold_the_lock(&namespace);
    let addresses: [std::net::SocketAddr; 4] =
        std::array::from_fn(|i| ([127, 0, 0, i as u8 + 1], 9).into());
    let start = Instant::now();
    let connect = || subflows::connect(&addresses[..], &Connect::new().control(true));
    assert_eq!(namespace.run(connect).unwrap_err().kind(), ErrorKind::Busy);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}
