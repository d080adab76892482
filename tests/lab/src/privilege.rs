//! Whether this process may make network namespaces, and what would allow it.

use std::fs;
use std::io;
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

// From <linux/capability.h>.
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// Tries to make a network namespace. The error contains the reason and a remedy.
pub fn can_make_namespaces() -> Result<(), String> {
    // On a separate thread, so that the caller's namespace is unchanged.
    let tried = thread::scope(|scope| {
        scope.spawn(|| unshare(CloneFlags::CLONE_NEWNET)).join().expect("unshare never panics")
    });
    match tried {
        Ok(()) => Ok(()),
        Err(Errno::EPERM) => Err(format!(
            "cannot make a network namespace: this process lacks CAP_SYS_ADMIN. {}",
            remedy()
        )),
        Err(Errno::ENOSPC) => {
            Err("cannot make a network namespace: the system's limit is reached. \
             Raise it as root: `sysctl user.max_net_namespaces=1000`."
                .to_owned())
        }
        Err(Errno::EINVAL) => {
            Err("cannot make a network namespace: this kernel does not support them. \
             Use a kernel with CONFIG_NET_NS."
                .to_owned())
        }
        Err(error) => Err(format!("cannot make a network namespace: {}.", error.desc())),
    }
}

/// Makes the process root inside its own user namespace, unless it may already administer networks.
/// An ordinary user can then build networks that only this process sees.
///
/// Call it first in `main`: the kernel does not allow it for a process that has started threads.
/// The process is then in a new, empty network namespace, and reads and writes files as before.
pub fn become_root_in_user_namespace() -> io::Result<()> {
    if has_capabilities() {
        return Ok(());
    }
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET).map_err(explain_refusal)?;
    // An ordinary user may map a group only after disabling setgroups().
    let maps = [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {user} 1")),
        ("/proc/self/gid_map", format!("0 {group} 1")),
    ];
    for (path, text) in maps {
        fs::write(path, text).map_err(|error| {
            let text = format!("cannot become root in a user namespace: {path}: {error}");
            io::Error::new(error.kind(), format!("{text}. {}", remedy()))
        })?;
    }
    Ok(())
}

fn explain_refusal(error: Errno) -> io::Error {
    let reason = match error {
        Errno::EPERM => format!("the system does not allow it. {}", remedy()),
        Errno::ENOSPC => format!("the limit of user namespaces is reached. {}", remedy()),
        Errno::EINVAL => {
            "the process already has threads. Call become_root_in_user_namespace first in main."
                .to_owned()
        }
        other => format!("{}.", other.desc()),
    };
    let text = format!("cannot make a user namespace: {reason}");
    io::Error::new(io::Error::from(error).kind(), text)
}

/// Whether the calling thread may administer the network and make namespaces.
fn has_capabilities() -> bool {
    let wanted = (1 << CAP_NET_ADMIN) | (1 << CAP_SYS_ADMIN);
    fs::read_to_string("/proc/thread-self/status")
        .ok()
        .and_then(|status| effective_capabilities(&status))
        .is_some_and(|effective| effective & wanted == wanted)
}

fn effective_capabilities(status: &str) -> Option<u64> {
    let hex = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(hex.trim(), 16).ok()
}

/// The remedy on this system.
fn remedy() -> String {
    let is = |key: &str, value: &str| {
        let path = format!("/proc/sys/{}", key.replace('.', "/"));
        fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
    };
    let switches = [
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "10000"),
    ];
    let closed = switches.iter().find(|(key, bad, _)| is(key, bad));
    match closed {
        Some((key, bad, good)) => format!(
            "Run it as root, or allow user namespaces ({key} is {bad} now): \
             as root, `sysctl {key}={good}`."
        ),
        None => {
            "Run it as root, or under `unshare -Urn`; in a container, start the container with \
                 `--privileged`."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_status() {
        let status = "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t0000000000201000\n";
        assert_eq!(effective_capabilities(status), Some((1 << 12) | (1 << 21)));
        assert_eq!(effective_capabilities("Name:\tx\n"), None);
    }

    #[test]
    fn the_remedy_is_a_command() {
        assert!(remedy().contains('`'));
    }
}
