//! What this kernel and this process can do.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use crate::cause::{self, Cause};
use crate::door::{self, Missing, Right};
use crate::error::{Error, Result};
use crate::shared::listener::listen_on;
use crate::shared::new_socket::{Family, new_socket};
use crate::shared::{before_6_5, no_mptcp, privilege};
use crate::sys::mptcp;
use crate::sys::netlink::NetlinkError;
use crate::sys::sock_diag::{Depth, Found, SockDiag};
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
        let checks: [Check; 11] = [
            ("mptcp", "make Multipath TCP sockets", has_mptcp),
            ("info", "read a connection's counters and subflows", has_info),
            ("full_info", "list subflows in one call, with ids that start at 1", has_full_info),
            ("connections", "list every connection, or look one up", has_connections),
            ("details", "look up a subflow: open, details, addresses", has_details),
            ("userspace_path_manager", "let a program manage subflows", || may(Right::Userspace)),
            ("steer", "open subflows, set their priority, announce addresses", || may(Right::Steer)),
            ("take_control", "take control of a connection", || may(Right::TakeControl)),
            ("close_any", "close subflows that the kernel's path manager opened", || {
                may(Right::CloseAny)
            }),
            ("events", "follow the events of connections", || may(Right::Follow)),
            ("options", "set options of a single subflow", || may(Right::Options)),
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

fn may(right: Right) -> Answer {
    door::choose().check(right)
}

fn has_mptcp() -> Answer {
    no_mptcp::cause().map_or(Ok(()), |cause| Err(cause.into()))
}

/// Makes a Multipath TCP socket for a check.
fn sample() -> std::result::Result<std::os::fd::OwnedFd, Missing> {
    has_mptcp()?;
    new_socket(Family::V4, "capabilities")
        .map_err(|error: Error| Missing::new(error.to_string(), error.remedy()))
}

fn has_info() -> Answer {
    mptcp::info(sample()?.as_fd())
        .map(drop)
        .map_err(|error| Missing::because(cause::NO_INFO, error))
}

fn has_full_info() -> Answer {
    let sock = sample()?;
    if before_6_5::is_simulated() {
        return Err(cause::SIMULATED.into());
    }
    mptcp::info_and_count(sock.as_fd())
        .map(drop)
        .map_err(|error| Missing::because(cause::NO_FULL_INFO, error))
}

fn has_details() -> Answer {
    has_mptcp()?;
    let diag = SockDiag::open().and_then(|mut diag| diag.prove_tcp().map(|()| diag));
    let mut diag = diag.map_err(|refusal| no_table(refusal, cause::NO_TCP_DIAG))?;
    let loopback = (Ipv4Addr::LOCALHOST, 0).into();
    // A listener has a subflow too, of which the kernel shows as much as of any other. Without
    // IPv4 on the loopback interface, nothing is known to be missing.
    let listener = listen_on(loopback, 0, 1, false, "listen");
    let Ok(Ok(local)) = listener.as_ref().map(|sock| socket::local_address(sock.as_fd())) else {
        return Ok(());
    };
    let nowhere = (Ipv4Addr::UNSPECIFIED, 0).into();
    match diag.tcp_socket(local, nowhere, 0, Depth::Shallow) {
        Ok(Found::Other { has_ulp: false, .. }) => Err(cause::HIDDEN_DETAILS.into()),
        Ok(_) => Ok(()),
        Err(refusal) => Err(no_table(refusal, cause::NO_TCP_DIAG)),
    }
}

fn has_connections() -> Answer {
    let listed = SockDiag::open().and_then(|mut diag| diag.prove_mptcp());
    listed.map_err(|refusal| no_table(refusal, cause::NO_MPTCP_DIAG))
}

fn no_table(refusal: NetlinkError, suspected: Cause) -> Missing {
    match privilege::cause(refusal.errno) {
        Some(cause) => cause.into(),
        None => Missing::because(suspected, refusal),
    }
}
