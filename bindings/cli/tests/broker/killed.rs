//! A broker that is killed, at whatever moment: connections go on, and the next call works.

use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::thread;

use subflows::broker::{Act, Request};
use subflows_lab::{Net, skip, skip_unless_ready, wait_until};

use crate::common::{Pair, SOON, has_nobody};
use crate::served::{CHECK, Served};
use crate::{EVERYONE, acts};

#[test]
fn a_killed_broker_leaves_nothing_behind() {
    skip_unless_ready!();
    if !has_nobody() {
        return;
    }
    let net = Net::two_subnets().unwrap();
    let mut served = Served::start(&net.client, EVERYONE);
    let to = net.paths[0].server_ips()[0];
    let own = Pair::new(&net, to, true);
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let rounds = rounds();
    let mut all = acts(&net, &own.client);
    all.retain(|act| !matches!(act, Act::Destroy { .. } | Act::Remove { .. }));
    all.extend([Act::TakeControl, Act::Events, CHECK]);
    for round in 0..rounds {
        for act in &all {
            let session = served.session();
            let fd = if *act == Act::TakeControl { sock.as_fd() } else { own.client.as_fd() };
            session.send(&Request { number: 1, act: act.clone() }.encode(), &[fd]).unwrap();
            if round % 2 == 1 {
                thread::yield_now();
            }
            served.restart(&net.client);
            assert_eq!(net.client.sysctl("net.mptcp.pm_type").unwrap().trim(), "0", "{act:?}");
            own.move_data();
        }
    }
    served.serves_at_once(&net);
}

/// A control group of version 2, which is removed when the value is dropped.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Group> {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        let root = roots.into_iter().find(|root| root.join("cgroup.controllers").exists())?;
        let group = Group(root.join(format!("subflows-{}", std::process::id())));
        fs::create_dir(&group.0).ok()?;
        group.0.join("cgroup.kill").exists().then_some(group)
    }

    fn add(&self, process: u32) {
        fs::write(self.0.join("cgroup.procs"), process.to_string()).unwrap();
    }

    fn kill(&self) {
        fs::write(self.0.join("cgroup.kill"), "1").unwrap();
    }

    fn is_empty(&self) -> bool {
        fs::read_to_string(self.0.join("cgroup.procs")).unwrap().is_empty()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Fails only if a process is left in it, which the test reports.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Killing a control group also kills the child that has changed the setting. The next broker sets it back.
#[test]
fn a_broker_that_is_killed_with_its_group_leaves_nothing_behind() {
    skip_unless_ready!();
    if !has_nobody() {
        return;
    }
    let Some(group) = Group::new() else {
        return skip("control groups of version 2 with cgroup.kill");
    };
    let net = Net::two_subnets().unwrap();
    let mut served = Served::start(&net.client, EVERYONE);
    let own = Pair::new(&net, net.paths[0].server_ips()[0], true);
    let sock = net.client.run(|| subflows::socket(subflows::Family::V4)).unwrap();
    let mut interrupted = 0;
    for round in 0..rounds() * 8 {
        group.add(served.process.id());
        let sessions: Vec<_> = (0..16).map(|_| served.session()).collect();
        let request = Request { number: 1, act: Act::TakeControl }.encode();
        for session in &sessions {
            session.send(&request, &[sock.as_fd()]).unwrap();
        }
        for _ in 0..round % 16 {
            thread::yield_now();
        }
        group.kill();
        served.process.wait().unwrap();
        wait_until(SOON, "the group is empty", || group.is_empty());
        interrupted += usize::from(net.client.sysctl("net.mptcp.pm_type").unwrap().trim() != "0");
        own.move_data();
        served.restart(&net.client);
        assert_eq!(net.client.sysctl("net.mptcp.pm_type").unwrap().trim(), "0", "round {round}");
        served.serves_at_once(&net);
    }
    println!("the setting was changed at {interrupted} kills, and set back each time");
}

/// How often each act is interrupted: `BROKER_KILLS`.
fn rounds() -> usize {
    std::env::var("BROKER_KILLS").map_or(3, |kills| kills.parse().unwrap())
}
