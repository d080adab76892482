//! A listener on every address accepts clients of both families, however IPv6 is configured on the
//! host.

#[path = "common/mod.rs"]
mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::thread;

use common::deny::deny;
use subflows::{Connect, ErrorKind, Listen};
use subflows_lab::{Namespace, skip_unless_ready};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn accepts(listener: &TcpListener, from: IpAddr) -> bool {
    let port = listener.local_addr().unwrap().port();
    subflows::connect((from, port), &Connect::new()).is_ok()
}

#[test]
fn every_address_is_of_both_families() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let _inside = namespace.enter().unwrap();
    let both = subflows::listen_any(0, &Listen::new()).unwrap();
    assert!(accepts(&both, V4) && accepts(&both, V6));
    let only_v6 = subflows::listen_any(0, &Listen::new().only_v6(true)).unwrap();
    assert!(!accepts(&only_v6, V4) && accepts(&only_v6, V6));
}

#[test]
fn ipv6_that_is_switched_off_keeps_ipv4() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    namespace.set_sysctl("net.ipv6.conf.all.disable_ipv6", "1").unwrap();
    let _inside = namespace.enter().unwrap();
    let listener = subflows::listen_any(0, &Listen::new()).unwrap();
    assert!(accepts(&listener, V4) && !accepts(&listener, V6));
}

#[test]
fn without_ipv6_it_is_ipv4() {
    skip_unless_ready!();
    let sandboxed = || {
        // As on a kernel without IPv6, or with `ipv6.disable=1`.
        deny(libc::SYS_socket, (0, libc::AF_INET6), libc::EAFNOSUPPORT);
        let listener = subflows::listen_any(0, &Listen::new()).unwrap();
        assert_eq!(listener.local_addr().unwrap().ip(), Ipv4Addr::UNSPECIFIED);
        assert!(accepts(&listener, V4));
        let refused = subflows::listen_any(0, &Listen::new().only_v6(true)).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EAFNOSUPPORT));
    };
    thread::spawn(sandboxed).join().unwrap();
}

/// A listener of one family would not accept clients of the other.
#[test]
fn a_port_that_one_family_has_taken_is_refused() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    let _inside = namespace.enter().unwrap();
    for options in [Listen::new().only_v6(true), Listen::new()] {
        let taken = if options.only_v6 {
            subflows::listen("[::]:0", &options)
        } else {
            subflows::listen("0.0.0.0:0", &options)
        };
        let port = taken.as_ref().unwrap().local_addr().unwrap().port();
        let refused = subflows::listen_any(port, &Listen::new()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddressNotAvailable);
    }
}

#[test]
fn a_name_that_no_interface_can_have_is_named() {
    let long = Listen::new().interface("a-name-of-16-byt");
    let refused = [
        subflows::listen("127.0.0.1:0", &long).map(drop),
        subflows::connect("127.0.0.1:1", &Connect::new().interface("a-name-of-16-byt")).map(drop),
    ];
    for refused in refused {
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
        assert!(refused.to_string().contains("at most 15 bytes"), "{refused}");
    }
    let unknown =
        subflows::listen("127.0.0.1:0", &Listen::new().interface("none-such")).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::AddressNotAvailable);
    assert!(unknown.to_string().contains("\"none-such\""), "{unknown}");
}
