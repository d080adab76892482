use std::time::{Duration,Instant};
use subflows_lab::*;
use std::os::fd::AsRawFd;
fn main() {
    let pull = std::env::args().nth(1).is_some();
    let witness = Namespace::new().unwrap();
    let mut n = 0;
    for t in Topology::ALL {
        let net = t.build().unwrap();
        net.join_by_kernel().unwrap();
        let server = traffic::serve_source(&net.server, (net.paths[0].server_v4, 0).into(), 10_000).unwrap();
        let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
        traffic::fetch(&stream, 10_000).unwrap();
        if pull { net.paths[0].pull_cable().unwrap(); }
        for ns in [&net.client, &net.server].into_iter().chain(&net.routers) {
            witness.ip_batch(&format!("link add w{n} type veth peer name witness netns /proc/{}/fd/{}\n", std::process::id(), ns.fd().as_raw_fd())).unwrap();
            println!("w{n} {t}"); n += 1;
        }
    }
    let s = Instant::now();
    let mut last = String::new();
    loop {
        let text = witness.run(|| std::fs::read_to_string("/proc/thread-self/net/dev")).unwrap();
        let names = text.lines().filter_map(|l| l.split_once(':')).map(|x| x.0.trim()).collect::<Vec<_>>().join(" ");
        if names != last { println!("{:?} {names}", s.elapsed()); }
        if names == "lo" || s.elapsed() > Duration::from_secs(140) { break; }
        last = names;
        std::thread::sleep(Duration::from_millis(20));
    }
}
