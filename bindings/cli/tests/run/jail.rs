//! Rules that forbid TCP hold for Multipath TCP: BPF programs of a control group (Landlock is in `hooks.c`).
#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use subflows_lab::{Namespace, skip, skip_unless_ready};

use crate::common::*;
use crate::library;

/// `BPF_PROG_TYPE_CGROUP_SOCK` and `BPF_PROG_TYPE_CGROUP_SOCK_ADDR`: where a program is attached, and where its context
/// has the protocol.
const SOCKET: (u32, u32, u16) = (9, 2, 12);
const CONNECT_V4: (u32, u32, u16) = (18, 10, 36);
const CONNECT_V6: (u32, u32, u16) = (18, 11, 36);

/// A control group, removed with the value. Its programs go with it.
struct Group(PathBuf);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

impl Group {
    fn new(name: &str) -> Option<Group> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts.lines().find_map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            (words[2] == "cgroup2").then(|| PathBuf::from(words[1]))
        })?;
        let group = mount.join(format!("subflows-{name}-{}", std::process::id()));
        fs::create_dir(&group).ok().map(|()| Group(group))
    }

    /// A command whose process is in the group, in a namespace.
    fn command(&self, namespace: &Namespace, words: &[&str]) -> Command {
        let mut inside = namespace.command("sh");
        inside.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]).arg(self.0.join("cgroup.procs"));
        inside.args([SUBFLOWS, "run"]).args(words).env("SUBFLOWS_PRELOAD", library());
        inside
    }
}

fn bpf(command: i64, attributes: &[u64; 16]) -> io::Result<i64> {
    let pointer: *const [u64; 16] = attributes;
    // SAFETY: the pointer has as many bytes, and the numbers in it that are pointers are valid.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size_of_val(attributes)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Attaches a program that refuses TCP, and nothing else.
fn refuse_tcp(group: &Path, (kind, place, protocol): (u32, u32, u16)) -> io::Result<()> {
    /// Opcode, registers, offset, immediate number.
    const fn instruction(opcode: u64, registers: u64, offset: u16, number: u64) -> u64 {
        opcode | registers << 8 | (offset as u64) << 16 | number << 32
    }
    let program = [
        instruction(0x61, 0x12, protocol, 0), // r2 = *(u32 *)(r1 + protocol)
        instruction(0xb7, 0, 0, 0),           // r0 = 0
        instruction(0x15, 2, 1, 6),           // if r2 == IPPROTO_TCP goto exit
        instruction(0xb7, 0, 0, 1),           // r0 = 1
        instruction(0x95, 0, 0, 0),           // exit
    ];
    let license = c"GPL";
    let mut load = [0u64; 16];
    load[0] = u64::from(kind) | (program.len() as u64) << 32;
    load[1] = program.as_ptr() as u64;
    load[2] = license.as_ptr() as u64;
    // After the log's members, the kernel's version, flags, a name of 16 bytes, and an interface.
    load[8] = u64::from(place) << 32;
    let program = bpf(5, &load)?;
    // SAFETY: the kernel has just made this descriptor.
    let program = unsafe { OwnedFd::from_raw_fd(program as i32) };
    let group = fs::File::open(group)?;
    let mut attach = [0u64; 16];
    attach[0] = group.as_raw_fd() as u64 | (program.as_raw_fd() as u64) << 32;
    attach[1] = place.into();
    bpf(8, &attach).map(drop)
}

/// Fails to connect, or to make a socket, as TCP does.
const REFUSED: &str = "
import socket, sys
address = sys.argv[1], 9
for _ in range(2):
    try:
        sock = socket.socket(socket.AF_INET6 if ':' in address[0] else socket.AF_INET)
        sock.connect(address)
    except OSError as error:
        print(error.errno, end=' ')
";

#[test]
fn what_a_control_group_forbids_tcp_is_forbidden() {
    skip_unless_ready!();
    let namespace = Namespace::new().unwrap();
    for (name, places) in [("socket", &[SOCKET][..]), ("connect", &[CONNECT_V4, CONNECT_V6])] {
        let Some(group) = Group::new(name) else {
            return skip("no control group of version 2 can be made here");
        };
        for place in places {
            if let Err(error) = refuse_tcp(&group.0, *place) {
                return skip(&format!(
                    "this kernel loads no BPF program of a control group: {error}"
                ));
            }
        }
        for ip in ["127.0.0.1", "::1"] {
            let words = ["--", "python3", "-c", REFUSED, ip];
            let mut inside = group.command(&namespace, &words);
            // EPERM, and not ECONNREFUSED.
            assert_eq!(Run::of(&mut inside).ok(), "1 1 ", "{name} {ip}");
        }
    }
}
