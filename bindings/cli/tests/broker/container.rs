//! What CONTAINERS.md describes, as far as namespaces alone make a container.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use subflows_lab::Namespace;

use crate::common::{Folder, Run};
use crate::served::net;

/// A broker next to the program, as a container that shares its network: with one capability, and /proc/sys
/// read-only. The program is another container.
const SIDECAR: &str = r#"
set -e
policy=$1 subflows=$2
mount -t tmpfs none /run
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
setpriv --bounding-set=-all,+net_admin --inh-caps=-all "$subflows" broker --policy "$policy" &
trap "kill $!" EXIT
until [ "$(stat --format=%a /run/subflows/broker.sock 2>/dev/null)" = 666 ]; do kill -0 $!; done
setpriv --reuid=65534 --regid=65534 --clear-groups "$subflows" capabilities
"#;

/// A broker on the host. The container has its socket, and root of a user namespace of its own.
const ON_HOST: &str = r#"
set -e
folder=$1 subflows=$2
mount -t tmpfs none /run
mkdir /run/subflows
touch /run/subflows/broker.sock
mount --bind "$folder/broker.sock" /run/subflows/broker.sock
exec unshare --user --map-root-user "$subflows" capabilities
"#;

fn unshared(namespace: &Namespace, script: &str, folder: &Folder, first: &str) -> Run {
    let mut command = namespace.command("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", first]).arg(folder.command());
    // The files of this host's broker do not matter.
    Run::of(command.env_remove("SUBFLOWS_BROKER"))
}

fn lines(text: &str) -> Vec<(&str, &str)> {
    let words = text.lines().map(str::split_whitespace);
    words.filter_map(|mut words| Some((words.next()?, words.next()?))).collect()
}

#[test]
fn a_broker_in_a_container_of_the_same_network() {
    let Some(net) = net() else { return };
    let folder = Folder::new();
    fs::write(folder.path().join("policy.toml"), "[[allow]]\nusers = [65534]\n").unwrap();
    let policy = folder.file("policy.toml");
    // As the container's setting: a broker that may not write it needs it.
    net.client.set_sysctl("net.mptcp.path_manager", "userspace").unwrap();
    let text = unshared(&net.client, SIDECAR, &folder, &policy).ok();
    let lines = lines(&text);
    for right in ["steer", "take_control"] {
        assert!(lines.contains(&(right, "yes")), "{right} in {text}");
    }
}

#[test]
fn a_broker_on_the_host_for_a_container() {
    let Some(net) = net() else { return };
    let folder = Folder::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let socket = folder.path().join("broker.sock");
    let policy = folder.path().join("policy.toml");
    fs::write(&policy, "[[allow]]\n").unwrap();
    // Any process of the container shows its network.
    let mut container = net.client.command("sleep").arg("60").spawn().unwrap();
    let broker = std::process::Command::new(folder.command())
        .arg("broker")
        .arg("--netns")
        .arg(format!("/proc/{}/ns/net", container.id()))
        .arg("--socket")
        .arg(&socket)
        .arg("--policy")
        .arg(&policy)
        .spawn();
    let mut broker = broker.unwrap();
    subflows_lab::wait_until(crate::common::SOON, "the broker listens", || socket.exists());
    let first = folder.path().to_str().unwrap().to_owned();
    let run = unshared(&net.client, ON_HOST, &folder, &first);
    for process in [&mut broker, &mut container] {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let text = run.ok();
    let lines = lines(&text);
    for right in ["steer", "take_control"] {
        assert!(lines.contains(&(right, "yes")), "{right} in {text}");
    }
}
