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
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
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
    libc::SYS_setsid,
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
