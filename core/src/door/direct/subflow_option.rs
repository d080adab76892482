//! Options of a single subflow, by a BPF program of this process.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::cause::{self, Cause};
use crate::door::{Answer, Missing};
use crate::error::{Error, ErrorKind};
use crate::shared::option_step::OptionStep;
use crate::shared::privilege;
use crate::shared::socket_state::require_same_namespace;
use crate::sys::bpf::Failure;
use crate::sys::bpf::subflow_option::{Step, prove, run as run_program};

/// How long to wait for other programs that hold the locks of their TCP sockets.
const DEADLINE: Duration = Duration::from_secs(5);
const OPERATION: &str = "options";

pub(super) fn run(sock: BorrowedFd<'_>, cookie: u64, steps: &mut [OptionStep]) -> Answer {
    // A kept program could be run without the capabilities, which the process may have given up since.
    if let Some(missing) = privilege::missing_for_bpf() {
        return Err(missing.error(OPERATION).errno(libc::EPERM).into());
    }
    let mut raw: Vec<Step> = steps.iter().map(OptionStep::raw).collect();
    if let Err(failure) = run_program(cookie, &mut raw, Instant::now() + DEADLINE) {
        if let Failure::NotFound = failure {
            // The walk was that of the thread's namespace, which a kept netlink socket does not show.
            require_same_namespace(sock, OPERATION)?;
        }
        return Err(error(failure).into());
    }
    for (step, raw) in steps.iter_mut().zip(raw) {
        *step = OptionStep::done(raw);
    }
    Ok(())
}

/// Checks that the program can be run, without running it.
pub(super) fn check() -> Result<(), Missing> {
    if let Some(missing) = privilege::missing_for_bpf() {
        return Err(missing.into());
    }
    prove().map_err(|failure| {
        let error = error(failure);
        Missing::new(format!("{error:#}").replacen("options: ", "", 1), error.remedy())
    })
}

fn error(failure: Failure) -> Error {
    match failure {
        Failure::NotFound => Error::new(ErrorKind::NoSuchSubflow, OPERATION).errno(libc::ENOENT),
        Failure::TimedOut => cause::LOCKED_SOCKET.error(OPERATION),
        Failure::Stuck => cause::LOCKED_SOCKETS.error(OPERATION),
        Failure::NoIterator => cause::NO_TCP_ITERATOR.error(OPERATION),
        Failure::Types(error) => match error.raw_os_error() {
            Some(libc::ENOENT) => cause::NO_BTF.error(OPERATION),
            _ => os(&error, None).detail("/sys/kernel/btf/vmlinux cannot be read"),
        },
        Failure::Map(error) => os(&error, bpf_cause(&error)),
        // EPERM is the answer to a process without the right.
        Failure::Program(error) if error.raw_os_error() == Some(libc::EACCES) => {
            os(&error, Some(cause::BPF_REJECTED))
        }
        Failure::Program(error) | Failure::Iterator(error) => {
            let is_refused = matches!(
                error.raw_os_error(),
                Some(libc::EINVAL | libc::EOPNOTSUPP | libc::E2BIG | libc::ENOENT)
            );
            os(&error, is_refused.then_some(cause::NO_TCP_ITERATOR).or(bpf_cause(&error)))
        }
        Failure::Request(error) => os(&error, bpf_cause(&error)),
        Failure::Child(error) => os(
            &error,
            match error.raw_os_error() {
                Some(libc::EAGAIN) => Some(cause::NO_WALKER),
                Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => Some(cause::WALKER_DENIED),
                _ => None,
            },
        ),
        Failure::Walk(error) => os(&error, None).detail("the iterator over TCP sockets failed"),
    }
}

/// What a refusal by bpf(2) means for a process that has the capabilities.
fn bpf_cause(error: &io::Error) -> Option<Cause> {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Some(privilege::bpf_denied()),
        Some(libc::ENOSYS) => Some(cause::NO_BPF),
        _ => None,
    }
}

fn os(error: &io::Error, cause: Option<Cause>) -> Error {
    let error = Error::from_io(OPERATION, error);
    cause.map_or(error.clone(), |cause| cause.explain(error))
}
