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
    libc::SYS_clone,
    libc::SYS_clone3,
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
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
];

/// Files: what take_control and capabilities read and write in /proc.
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
    libc::SYS_socket,
    libc::SYS_unshare,
    libc::SYS_wait4,
    libc::SYS_waitid,
];

/// Denies every other call, with `EPERM`, to this process and its threads. A file can be opened, but none can
/// be made.
pub(crate) fn apply() -> Result<(), Failure> {
    let failed = |error: String| {
        Failure::new(
            format!("system calls cannot be filtered ({error})"),
            "Use a kernel with CONFIG_SECCOMP_FILTER.",
        )
    };
    let always = [PROCESS, FILES, ACTS].concat().into_iter().map(|call| (number(call), vec![]));
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = always.collect();
    #[cfg(target_arch = "x86_64")]
    rules.insert(number(libc::SYS_poll), vec![]);
    rules.insert(
        number(libc::SYS_openat),
        vec![opening().map_err(|error| failed(error.to_string()))?],
    );
    let architecture =
        ARCH.try_into().map_err(|_| failed(format!("unknown architecture {ARCH}")))?;
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, denied, SeccompAction::Allow, architecture);
    let program: BpfProgram =
        filter.and_then(TryInto::try_into).map_err(|error| failed(error.to_string()))?;
    seccompiler::apply_filter(&program).map_err(|error| failed(error.to_string()))
}

/// On 32-bit systems the numbers are shorter.
#[allow(clippy::useless_conversion)]
fn number(call: libc::c_long) -> i64 {
    call.into()
}

/// Opening a file that exists.
fn opening() -> Result<SeccompRule, seccompiler::BackendError> {
    let making = (libc::O_CREAT | libc::O_TMPFILE) as u64;
    // O_TMPFILE includes O_DIRECTORY, which reading a folder sets as well.
    let making = making & !(libc::O_DIRECTORY as u64);
    let operation = SeccompCmpOp::MaskedEq(making);
    SeccompRule::new(vec![SeccompCondition::new(2, SeccompCmpArgLen::Dword, operation, 0)?])
}
