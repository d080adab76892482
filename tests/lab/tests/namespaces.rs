//! What happens in a namespace has no effect outside of it.

use std::fs;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use nix::sys::stat::fstat;
use subflows_lab::{Namespace, has_sysctl, skip_unless_ready, wait_until};

const SOON: Duration = Duration::from_secs(5);

fn own_inode() -> u64 {
    fstat(Namespace::current().unwrap().fd()).unwrap().st_ino
}

#[test]
fn a_new_namespace_is_fit_for_experiments() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    assert_eq!(namespace.sysctl("net.ipv4.tcp_congestion_control").unwrap(), "reno");
    if has_sysctl("net.mptcp.blackhole_timeout") {
        assert_eq!(namespace.sysctl("net.mptcp.blackhole_timeout").unwrap(), "0");
    }
    assert_eq!(namespace.sysctl("net.ipv4.conf.default.rp_filter").unwrap(), "0");
    assert!(namespace.ip(&["link", "show", "lo"]).unwrap().contains("LOWER_UP"));
    namespace.run(|| TcpListener::bind("127.0.0.1:0")).unwrap();
    namespace.run(|| TcpListener::bind("[::1]:0")).unwrap();
}

#[test]
fn settings_of_one_namespace_are_not_those_of_another() {
    skip_unless_ready!();
    let (one, other) = (Namespace::new().unwrap(), Namespace::new().unwrap());
    one.set_sysctl("net.ipv4.ip_forward", "1").unwrap();
    assert_eq!(one.sysctl("net/ipv4/ip_forward").unwrap(), "1");
    assert_eq!(other.sysctl("net.ipv4.ip_forward").unwrap(), "0");
    assert_eq!(one.sysctl("net.no.such").unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn threads_and_children_are_where_they_should_be() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let inode = fstat(namespace.fd()).unwrap().st_ino;
    let home = own_inode();
    assert_ne!(inode, home);
    assert_eq!(namespace.run(own_inode), inode);
    assert_eq!(namespace.spawn(own_inode).unwrap().join().unwrap(), inode);
    let link = namespace.output("readlink", &["/proc/self/ns/net"]).unwrap();
    assert_eq!(link.trim(), format!("net:[{inode}]"));
    {
        let _entered = namespace.enter().unwrap();
        assert_eq!(own_inode(), inode);
        assert_eq!(thread::spawn(own_inode).join().unwrap(), inode);
    }
    assert_eq!(own_inode(), home);
}

#[test]
fn the_way_home_survives_a_panic() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let home = own_inode();
    let inside = AssertUnwindSafe(|| {
        let _entered = namespace.enter().unwrap();
        panic!("on purpose");
    });
    assert!(catch_unwind(inside).is_err());
    assert_eq!(own_inode(), home);
    let payload =
        catch_unwind(AssertUnwindSafe(|| namespace.run(|| panic!("through")))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"through"));
}

#[test]
fn a_failing_tool_reports_why() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let error = namespace.ip(&["link", "show", "nothing0"]).unwrap_err().to_string();
    assert!(error.contains("nothing0") && error.contains("does not exist"), "{error}");
    let error = namespace.ip_batch("link add\n").unwrap_err().to_string();
    assert!(error.contains("link add"), "{error}");
    let error = namespace.output("no-such-tool", &[]).unwrap_err().to_string();
    assert!(error.contains("Install it"), "{error}");
}

#[test]
fn a_namespace_vanishes_with_its_last_handle() {
    skip_unless_ready!();
    let witness = Namespace::new().unwrap();
    let doomed = Namespace::new().unwrap();
    let clone = doomed.clone();
    let far = fstat(doomed.fd()).unwrap().st_ino;
    // Deleting one end of a veth pair deletes the other: the witness sees that the other namespace
    // ended.
    let text =
        format!("link add w type veth peer name d\nlink set dev d netns {}\n", path(&doomed));
    witness.ip_batch(&text).unwrap();
    let is_there = || {
        let _entered = witness.enter().unwrap();
        fs::read_to_string("/proc/thread-self/net/dev").unwrap().contains(" w:")
    };
    drop(doomed);
    assert!(is_there());
    assert_eq!(clone.run(own_inode), far);
    drop(clone);
    wait_until(SOON, "the interface to vanish with the namespace", || !is_there());
}

fn path(namespace: &Namespace) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/{}/fd/{}", std::process::id(), namespace.fd().as_raw_fd())
}
