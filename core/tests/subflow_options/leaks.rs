//! Ten thousand calls leave nothing behind, and the end of the process leaves no program and no map.

use std::fs;
use std::os::fd::RawFd;
use std::process::Stdio;

use subflows::{Connect, ErrorKind, SubflowOption};
use subflows_lab::{Namespace, wait_until};

use super::can_set;
use super::common::child::{helper, is_child};
use super::common::{SOON, connect_between};

const CALLS: u32 = 10_000;
const WARM_UP: u32 = 200;
/// How much the allocator may shift; a leak of a stack or of ten bytes per call is more.
const GROWTH: u64 = 100_000;

/// The targets of the descriptors, and the numbers of BPF objects among them.
fn descriptors() -> (Vec<String>, Vec<String>) {
    let of = |fd: RawFd| fs::read_link(format!("/proc/self/fd/{fd}")).ok();
    let (mut targets, mut numbers) = (Vec::new(), Vec::new());
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let fd: RawFd = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
        targets.extend(of(fd).map(|target| target.to_string_lossy().into_owned()));
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let is_number = |line: &&str| line.starts_with("prog_id:") || line.starts_with("map_id:");
        numbers.extend(info.lines().filter(is_number).map(str::to_owned));
    }
    targets.sort();
    (targets, numbers)
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
#[ignore = "run by ten_thousand_calls_leave_nothing_behind"]
fn helper_that_sets_and_gets() {
    if !is_child() {
        return;
    }
    let here = Namespace::current().unwrap();
    let pair = connect_between(&here, &here, "127.0.0.1".parse().unwrap(), &Connect::new());
    pair.make_ready();
    let sock = &pair.client;
    let id = super::initial(sock);
    let call = |number: u32| match number % 4 {
        0 => subflows::set_option(sock, id, SubflowOption::Mark, number).unwrap(),
        1 => drop(subflows::get_option(sock, id, SubflowOption::UserTimeout).unwrap()),
        2 => drop(subflows::options(sock, id).unwrap()),
        _ => {
            let error = subflows::get_option(sock, 9, SubflowOption::UserTimeout).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoSuchSubflow);
        }
    };
    (0..WARM_UP).for_each(call);
    let before = (descriptors(), resident());
    (0..CALLS).for_each(call);
    let after = (descriptors(), resident());
    assert_eq!(before.0, after.0);
    // One program and one map, and neither a link nor an iterator.
    let bpf: Vec<_> = after.0.0.iter().filter(|target| target.contains("bpf")).collect();
    assert_eq!(bpf, ["anon_inode:bpf-map", "anon_inode:bpf-prog"]);
    assert!(after.1 < before.1 + GROWTH, "{} bytes more", after.1 - before.1);
    // SAFETY: takes numbers; the status is not asked for.
    let child = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::__WALL | libc::WNOHANG) };
    assert_eq!(child, -1, "a child process is left");
    assert_eq!(after.0.1.len(), 2);
    println!("{}", after.0.1.join("\n"));
}

/// Whether the kernel has a program or a map of that number.
fn exists(line: &str) -> bool {
    /// `BPF_PROG_GET_FD_BY_ID`, `BPF_MAP_GET_FD_BY_ID`.
    const COMMANDS: [(&str, i32); 2] = [("prog_id:", 13), ("map_id:", 14)];
    let find = |(name, command): (&str, i32)| {
        Some((line.strip_prefix(name)?.trim().parse::<u32>().ok()?, command))
    };
    let (number, command) = COMMANDS.into_iter().find_map(find).unwrap();
    let mut attributes = [number, 0, 0];
    let pointer = attributes.as_mut_ptr();
    // SAFETY: the pointer and the length describe the attributes.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size_of_val(&attributes)) };
    if fd >= 0 {
        // SAFETY: the descriptor was made above.
        unsafe { libc::close(fd as i32) };
    }
    fd >= 0
}

#[test]
fn ten_thousand_calls_leave_nothing_behind() {
    if !can_set() {
        return;
    }
    let namespace = Namespace::new().unwrap();
    let _entered = namespace.enter().unwrap();
    let helper =
        helper("leaks::helper_that_sets_and_gets").stderr(Stdio::inherit()).output().unwrap();
    let said = String::from_utf8(helper.stdout).unwrap();
    assert!(helper.status.success(), "{said}");
    let numbers: Vec<_> = said.lines().filter(|line| line.contains("_id:")).collect();
    assert_eq!(numbers.len(), 2, "{said}");
    // The kernel frees them a moment after the last descriptor is closed.
    wait_until(SOON, "the program and the map to be freed", || {
        !numbers.iter().any(|line| exists(line))
    });
}
