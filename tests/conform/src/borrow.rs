//! Duplicates a socket of another process, and hands it to a child.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use subflows_lab::{Namespace, oracle};

use crate::ends::{Ends, canonical};

/// The number of the descriptor in the child.
pub(crate) const NUMBER: i32 = 3;

/// The socket of a process with these ends: ss shows its inode, and /proc its descriptor.
pub(crate) fn socket(namespace: &Namespace, pid: u32, ends: Ends) -> io::Result<OwnedFd> {
    let shown = oracle::ss_connections(namespace);
    let is_it = |local, remote| (canonical(local), canonical(remote)) == ends;
    let shown = shown.iter().find(|shown| is_it(shown.local, shown.remote));
    let inode = shown.and_then(|shown| shown.number("ino"));
    let missing = || io::Error::new(io::ErrorKind::NotFound, "the process has no such socket");
    let target = format!("socket:[{}]", inode.ok_or_else(missing)?);
    let is_target = |entry: &fs::DirEntry| {
        fs::read_link(entry.path()).is_ok_and(|link| link.as_os_str() == target.as_str())
    };
    let entries = fs::read_dir(format!("/proc/{pid}/fd"))?;
    let number = entries
        .flatten()
        .find(is_target)
        .and_then(|entry| entry.file_name().to_str()?.parse().ok());
    let pid = Pid::from_raw(pid as i32).ok_or_else(missing)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    Ok(pidfd_getfd(process, number.ok_or_else(missing)?, PidfdGetfdFlags::empty())?)
}

/// Lets the child of this command inherit the socket.
pub(crate) fn inherit(command: &mut Command, sock: OwnedFd) -> io::Result<()> {
    let mapping = FdMapping { parent_fd: sock, child_fd: NUMBER };
    command.fd_mappings(vec![mapping]).map(drop).map_err(io::Error::other)
}

/// Whether this user namespace has such a user.
pub(crate) fn has_user(user: u32) -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines().any(|line| {
        let numbers: Vec<u64> = line.split_whitespace().flat_map(str::parse).collect();
        let [first, _, count] = numbers[..] else { return false };
        (first..first + count).contains(&u64::from(user))
    })
}
