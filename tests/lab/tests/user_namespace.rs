//! An ordinary user can build networks after `become_root_in_user_namespace`. Without libtest,
//! whose threads the kernel would not let into a user namespace.

use nix::sys::prctl::set_dumpable;
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};
use subflows_lab::{Net, become_root_in_user_namespace, can_make_namespaces, skip, traffic};

const NOBODY: u32 = 65534;

fn main() {
    let was_root = geteuid().is_root();
    let ordinary = !was_root || become_nobody().is_ok();
    if let Err(error) = become_root_in_user_namespace() {
        return skip(&error.to_string());
    }
    assert!(geteuid().is_root());
    assert_eq!(can_make_namespaces(), Ok(()));
    // A second time changes nothing.
    become_root_in_user_namespace().unwrap();
    let net = Net::laptop().unwrap();
    net.join_by_kernel().unwrap();
    for ip in net.paths[0].server_ips() {
        let server = traffic::serve_source(&net.server, (ip, 0).into(), 10_000).unwrap();
        let stream = net.client.run(|| traffic::connect(server.local_addr())).unwrap();
        traffic::fetch(&stream, 10_000).unwrap();
    }
    let who = if ordinary { "an ordinary user" } else { "root in a user namespace" };
    println!("test user_namespace ({who}) ... ok");
}

/// Root of the machine can switch to any user; root of a small user namespace cannot.
fn become_nobody() -> nix::Result<()> {
    setgroups(&[])?;
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    // Changing the user hides /proc/self from its new owner, which a login would undo.
    set_dumpable(true)
}
