//! Nothing is left behind. The only test in its file: it counts everything that the process has.

use std::fs;
use std::time::Duration;

use subflows_lab::{Namespace, Topology, oracle, skip_unless_ready, traffic, wait_until};

const SOON: Duration = Duration::from_secs(10);

/// How many entries a folder has; 0 if it does not exist.
fn count(folder: &str) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn interfaces() -> String {
    let dev = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let names = dev.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    names.collect::<Vec<_>>().join(" ")
}

#[test]
fn nothing_is_left_behind() {
    // Before anything else: a thread that has been joined is still listed for a moment.
    let (threads, files) = (count("/proc/self/task"), count("/proc/self/fd"));
    skip_unless_ready!();
    let named = count("/run/netns");
    let outside = interfaces();
    let witness = Namespace::new().unwrap();
    let mut expected = 0;
    // Without a scope, nothing can be bound to a link-local address.
    for topology in Topology::ALL.into_iter().filter(|all| *all != Topology::LinkLocalOnly) {
        let net = topology.build().unwrap();
        net.join_by_kernel().unwrap();
        let address = (net.paths[0].server_v4, 0).into();
        let server = traffic::serve_source(&net.server, address, 10_000).unwrap();
        let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
        traffic::fetch(&stream, 10_000).unwrap();
        if net.paths[0].wire().is_none() {
            // The other path, by which the kernel ends the connection.
            wait_until(SOON, "the join", || oracle::ss_subflows(&net.client).len() > 1);
            // Now the FINs will be lost; that must not keep the namespaces for long.
            net.paths[0].pull_cable().unwrap();
        }
        // Cables from the witness to every namespace, which vanish with their other end.
        for namespace in [&net.client, &net.server].into_iter().chain(&net.routers) {
            let name = format!("w{expected}");
            let there = path(namespace);
            let add = format!("link add {name} type veth peer name witness netns {there}\n");
            witness.ip_batch(&add).unwrap();
            expected += 1;
        }
    }
    assert!(expected >= 10);
    // Less than the minute for which a FIN is repeated, and enough if other tests end namespaces too: the
    // kernel takes down one after the other.
    wait_until(3 * SOON, "all namespaces to vanish", || witness.run(interfaces) == "lo");
    drop(witness);
    wait_until(SOON, "all threads to end", || count("/proc/self/task") <= threads);
    assert_eq!(count("/proc/self/fd"), files);
    assert_eq!(count("/run/netns"), named);
    assert_eq!(interfaces(), outside);
}

fn path(namespace: &Namespace) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/{}/fd/{}", std::process::id(), namespace.fd().as_raw_fd())
}
