//! The system calls that the broker may make when it has started.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use crate::Failure;

/// Memory, threads, time.
const PROCESS: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_prctl,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_setpriority,
    libc::SYS_sigaltstack,
];

/// Files that are open already: what take_control and capabilities read and write in /proc. `readlinkat` shows
/// whether a number still is that of an iterator.
const FILES: &[libc::c_long] = &[
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_statx,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Sockets, and the acts.
const ACTS: &[libc::c_long] = &[
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_bpf,
    libc::SYS_capget,
    libc::SYS_connect,
    libc::SYS_fchown,
    libc::SYS_flock,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_ioctl,
    libc::SYS_listen,
    libc::SYS_ppoll,
    libc::SYS_pidfd_send_signal,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sched_getscheduler,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setpgid,
    libc::SYS_setsockopt,
    libc::SYS_wait4,
    libc::SYS_waitid,
];

/// Denies every other call, with `EPERM`, to this process and its threads. No file can be opened, unless a rule
/// of the policy names control groups: then files can be opened for reading.
pub(crate) fn apply(may_read_files: bool) -> Result<(), Failure> {
    let failed = |error: String| {
        Failure::new(
            format!("system calls cannot be filtered ({error})"),
            "Use a kernel with CONFIG_SECCOMP_FILTER.",
        )
    };
    // Last the one that denies further filters.
    for program in [old_clone(), program(may_read_files)] {
        let program = program.map_err(|error| failed(error.to_string()))?;
        seccompiler::apply_filter(&program).map_err(|error| failed(error.to_string()))?;
    }
    Ok(())
}

fn program(may_read_files: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let always = [PROCESS, FILES, ACTS].concat().into_iter().map(|call| (number(call), vec![]));
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = always.collect();
    #[cfg(target_arch = "x86_64")]
    rules.insert(number(libc::SYS_poll), vec![]);
    if may_read_files {
        let writing = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_TMPFILE;
        // O_TMPFILE includes O_DIRECTORY, with which a folder is read.
        let writing = writing & !libc::O_DIRECTORY;
        rules.insert(number(libc::SYS_openat), vec![rule(2, masked(writing, 0))?]);
    }
    // Threads and child processes, but no namespaces.
    let namespaces = libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWUTS;
    rules.insert(number(libc::SYS_clone), vec![rule(0, masked(namespaces, 0))?]);
    // The filter of `old_clone` denies it.
    rules.insert(number(libc::SYS_clone3), vec![]);
    let files = SeccompCmpOp::Eq;
    rules.insert(number(libc::SYS_unshare), vec![rule(0, (files, libc::CLONE_FILES))?]);
    let families = [libc::AF_UNIX, libc::AF_NETLINK, libc::AF_INET, libc::AF_INET6];
    let families = families.into_iter().map(|family| rule(0, (SeccompCmpOp::Eq, family)));
    rules.insert(number(libc::SYS_socket), families.collect::<Result<_, _>>()?);
    let unix = rule(0, (SeccompCmpOp::Eq, libc::AF_UNIX))?;
    rules.insert(number(libc::SYS_socketpair), vec![unix]);
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, denied, SeccompAction::Allow, ARCH.try_into()?)?.try_into()
}

/// Answers `clone3` as an old kernel does, so that the C library calls `clone`, whose flags a filter can read.
fn old_clone() -> Result<BpfProgram, seccompiler::BackendError> {
    let rules = [(number(libc::SYS_clone3), vec![])].into();
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, unknown, ARCH.try_into()?)?.try_into()
}

fn masked(mask: i32, value: i32) -> (SeccompCmpOp, i32) {
    (SeccompCmpOp::MaskedEq(mask as u32 as u64), value)
}

/// A call is allowed if that argument compares so.
fn rule(
    argument: u8,
    (operation, value): (SeccompCmpOp, i32),
) -> Result<SeccompRule, seccompiler::BackendError> {
    let value = value as u32 as u64;
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operation, value)?;
    SeccompRule::new(vec![condition])
}

/// On 32-bit systems the numbers are shorter.
#[allow(clippy::useless_conversion)]
fn number(call: libc::c_long) -> i64 {
    call.into()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::thread;

    use nix::sched::{CloneFlags, unshare};
    use rustix::net::{AddressFamily, SocketType, socket};
    use rustix::thread::set_no_new_privs;

    use super::*;

    /// Runs a closure in a thread of its own under the filter, which cannot be removed.
    fn filtered<T: Send>(may_read_files: bool, test: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                set_no_new_privs(true).unwrap();
                apply(may_read_files).unwrap();
                test()
            });
            thread.join().unwrap()
        })
    }

    fn errno<T>(result: std::io::Result<T>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn no_file_can_be_opened() {
        let kept = File::open("/proc/sys/net/ipv4/tcp_allowed_congestion_control").unwrap();
        let [opened, made, linked, read] = filtered(false, || {
            [
                errno(File::open("/dev/null")),
                errno(File::create("/tmp/subflows-broker")),
                errno(fs::hard_link("/proc/self/exe", "/tmp/subflows-broker")),
                // What is open already can be read.
                errno(std::os::unix::fs::FileExt::read_at(&kept, &mut [0; 8], 0)),
            ]
        });
        let denied = Some(libc::EPERM);
        assert_eq!((opened, made, linked, read), (denied, denied, denied, None));
    }

    #[test]
    fn control_groups_are_read_and_nothing_is_written() {
        let [read, written, made] = filtered(true, || {
            [
                errno(File::open("/proc/self/cgroup")),
                errno(OpenOptions::new().write(true).open("/dev/null")),
                errno(File::create("/tmp/subflows-broker")),
            ]
        });
        assert_eq!((read, written, made), (None, Some(libc::EPERM), Some(libc::EPERM)));
    }

    #[test]
    fn threads_can_be_made_but_no_namespaces_and_no_other_sockets() {
        let (user, files, packet, process) = filtered(false, || {
            assert_eq!(thread::spawn(|| 7).join().unwrap(), 7);
            (
                unshare(CloneFlags::CLONE_NEWUSER),
                unshare(CloneFlags::CLONE_FILES),
                socket(AddressFamily::PACKET, SocketType::RAW, None).map(drop),
                errno(std::process::Command::new("/bin/true").status()),
            )
        });
        assert_eq!((user, files), (Err(nix::Error::EPERM), Ok(())));
        assert_eq!(packet, Err(rustix::io::Errno::PERM));
        assert!(process.is_some());
    }
}
