//! What this kernel and this process can do.

use std::os::fd::AsFd;

use crate::door::{self, Missing, Right};
use crate::error::{Error, Result};
use crate::shared::new_socket::{Family, new_socket};
use crate::sys::before_6_5;
use crate::sys::mptcp;
use crate::sys::sock_diag::SockDiag;
use crate::sys::socket;
use crate::table::{Type, Typed, operation, record};

record! {
    /// A capability of this kernel and this process.
    pub struct Capability {
        /// The name of the capability.
        name: String,
        /// What it makes possible.
        purpose: String,
        /// Whether it is available.
        is_available: bool,
        /// Why it is not available.
        cause: Option<String>,
        /// What makes it available; often a command to run.
        remedy: Option<String>,
    }
}

operation! {
    /// Reports what this kernel and this process can do. A capability that is not available has a cause
    /// and a remedy.
    ///
    /// The library tries each capability, without side effects, in the calling thread's network
    /// namespace.
    ///
    /// # Errors
    /// None at present.
    ///
    /// ```
    /// for capability in subflows::capabilities()? {
    ///     println!("{:24} {}", capability.name, capability.is_available);
    /// }
    /// # Ok::<(), subflows::Error>(())
    /// ```
    row CAPABILITIES() -> Type::List(&Capability::TYPE), requires Nothing, [];
    pub fn capabilities() -> Result<Vec<Capability>> {
        let checks: [Check; 9] = [
            ("mptcp", "make Multipath TCP sockets", has_mptcp),
            ("info", "read a connection's counters and subflows", has_info),
            ("full_info", "list subflows in one call, with ids that start at 1", has_full_info),
            ("connections", "list every connection, or look one up", has_connections),
            ("userspace_path_manager", "let a program manage subflows", || may(Right::Userspace)),
            ("steer", "open subflows, set their priority, announce addresses", || may(Right::Steer)),
            ("take_control", "take control of a connection", || may(Right::TakeControl)),
            ("close_any", "close subflows that the kernel's path manager opened", || {
                may(Right::CloseAny)
            }),
            ("events", "follow the events of connections", || may(Right::Follow)),
        ];
        Ok(checks.into_iter().map(|(name, purpose, check)| answer(name, purpose, check())).collect())
    }
}

/// The name, what it makes possible, and the check.
type Check = (&'static str, &'static str, fn() -> Answer);
type Answer = std::result::Result<(), Missing>;

fn answer(name: &str, purpose: &str, answer: Answer) -> Capability {
    let missing = answer.as_ref().err().cloned();
    let (cause, remedy) = missing.map(|missing| (missing.cause, missing.remedy)).unzip();
    Capability {
        name: name.to_owned(),
        purpose: purpose.to_owned(),
        is_available: answer.is_ok(),
        cause,
        remedy,
    }
}

fn no(cause: impl Into<String>, remedy: impl Into<String>) -> Answer {
    Err(Missing::new(cause, remedy))
}

fn may(right: Right) -> Answer {
    door::choose().check(right)
}

fn has_mptcp() -> Answer {
    match socket::new(libc::AF_INET, libc::SOCK_STREAM, socket::MPTCP) {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => no(
            "Multipath TCP is switched off in this network namespace",
            "sysctl net.mptcp.enabled=1",
        ),
        Err(error) if socket::is_forbidden(&error) => no(
            format!("a security policy denies Multipath TCP to this process: {error}"),
            "allow socket(2) with protocol 262 in the seccomp filter or SELinux policy",
        ),
        Err(error) => no(
            format!("this kernel has no Multipath TCP: {error}"),
            "use Linux 5.6 or newer, with CONFIG_MPTCP",
        ),
    }
}

/// Makes a Multipath TCP socket for a check.
fn sample() -> std::result::Result<std::os::fd::OwnedFd, Missing> {
    has_mptcp()?;
    new_socket(Family::V4, "capabilities")
        .map_err(|error: Error| Missing::new(error.to_string(), error.remedy()))
}

fn has_info() -> Answer {
    match mptcp::info(sample()?.as_fd()) {
        Ok(_) => Ok(()),
        Err(error) => {
            no(format!("this kernel does not report them: {error}"), "use Linux 5.16 or newer")
        }
    }
}

fn has_full_info() -> Answer {
    let sock = sample()?;
    if before_6_5::is_simulated() {
        return no("switched off by the variable SUBFLOWS_WITHOUT", "unset SUBFLOWS_WITHOUT");
    }
    match mptcp::info_and_count(sock.as_fd()) {
        Ok(_) => Ok(()),
        Err(error) => no(
            format!("this kernel does not report them at once, so several calls are used: {error}"),
            "use Linux 6.5 or newer",
        ),
    }
}

fn has_connections() -> Answer {
    match SockDiag::open().and_then(|mut diag| diag.connections(drop)) {
        Ok(()) => Ok(()),
        Err(refusal) => no(
            format!("this kernel does not list them: {refusal}"),
            "load the module on the host: modprobe mptcp_diag",
        ),
    }
}
