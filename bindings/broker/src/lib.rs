//! The broker: a privileged service that steers the connections of programs without privileges.
//!
//! A client passes the socket of its connection with each request ([`subflows::broker`] has the protocol
//! and the acts). The service decides who may do what ([`permissions`]), writes one line per act, and does every
//! system call on a client's socket in a worker of that client (`service.rs`), because a client can make each
//! of them wait.

#![forbid(unsafe_code)]

mod audit;
mod filter;
mod listener;
mod metrics;
pub mod permissions;
mod privileges;
mod service;
mod user;
mod worker;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metrics::Counts;
use permissions::Policy;
use user::Users;

/// Where the policy is, if no other file is named.
pub const POLICY: &str = "/etc/subflows/broker.toml";
/// Where the socket is, if no other path is named.
pub const SOCKET: &str = "/run/subflows/broker.sock";

/// How to run the service.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The policy's file.
    pub policy: Option<PathBuf>,
    /// The path of the socket to listen on.
    pub socket: Option<PathBuf>,
    /// The network namespace to serve: a name, or the path of a namespace's file.
    pub network_namespace: Option<PathBuf>,
    /// Where to offer metrics: the path of a socket, or a loopback address with a port.
    pub metrics: Option<String>,
}

/// Why the service cannot run: what failed, and what helps.
#[derive(Debug)]
pub struct Failure {
    /// What failed, with the value.
    pub what: String,
    /// What helps, as a sentence.
    pub remedy: String,
}

impl Failure {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Failure {
        Failure { what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.what, self.remedy)
    }
}

impl std::error::Error for Failure {}

/// Serves until the process is killed.
///
/// # Errors
/// If the policy is not valid, the socket cannot be made, or the process lacks `CAP_NET_ADMIN`.
pub fn run(options: &Options) -> Result<(), Failure> {
    // In the namespace in which the broker was started, also if it serves another one.
    let metrics = options.metrics.as_deref().map(metrics::open).transpose()?;
    enter(options)?;
    let policy = load(options)?;
    if let Some((_, Some((cause, remedy)))) =
        subflows::broker::rights().into_iter().find(|(name, _)| *name == "steer")
    {
        return Err(Failure::new(cause, remedy));
    }
    let path = options.socket.as_deref().unwrap_or(Path::new(SOCKET));
    let listener = listener::open(path, &policy)?;
    let notifier = listener::notifier();
    // What a broker that was killed has left.
    let _ = subflows::broker::restore();
    privileges::raise_limits();
    // While it still may. Without the privilege, the setting can stay changed for a time slice of other programs.
    let _ = subflows::broker::set_realtime(true);
    privileges::drop_all_others()?;
    let taker =
        subflows::broker::Taker::start(|| filter::apply(false).is_ok()).map_err(|error| {
            Failure::new(format!("{error:#}"), "Raise the limits of processes and of open files.")
        })?;
    subflows::broker::set_realtime(false);
    subflows::broker::open_files().map_err(|error| {
        Failure::new(format!("{error:#}"), "Run the broker as root, with /proc mounted.")
    })?;
    filter::apply(policy.has_cgroups())?;
    let users = Users::default();
    let counts = Arc::new(Counts::new(users.sessions()));
    if let Some(listener) = metrics {
        metrics::serve(listener, Arc::clone(&counts))?;
    }
    listener::notify_ready(notifier);
    service::serve(&listener, policy, users, counts, &taker)
}

/// The name of a right, and the cause and the remedy if the broker lacks it.
pub type Right = (&'static str, Option<(String, String)>);

/// Checks the policy and what the broker could do here. Returns each right, and why it is missing.
///
/// # Errors
/// If the policy is not valid.
pub fn check(options: &Options) -> Result<Vec<Right>, Failure> {
    enter(options)?;
    load(options)?;
    Ok(subflows::broker::rights())
}

/// Sets the path manager of the namespace back, if a broker that was killed has left it changed.
///
/// # Errors
/// Without the privilege, or if another process holds the lock.
pub fn restore(options: &Options) -> Result<bool, Failure> {
    enter(options)?;
    subflows::broker::restore()
        .map_err(|error| Failure::new(format!("{error:#}"), error.remedy().to_owned()))
}

fn load(options: &Options) -> Result<Policy, Failure> {
    match &options.policy {
        Some(path) => Policy::load(path),
        None if Path::new(POLICY).exists() => Policy::load(Path::new(POLICY)),
        None => Ok(Policy::usual()),
    }
}

/// Enters the network namespace to serve.
fn enter(options: &Options) -> Result<(), Failure> {
    use nix::sched::{CloneFlags, setns};
    let Some(name) = &options.network_namespace else { return Ok(()) };
    let path = match name.components().count() {
        1 => Path::new("/run/netns").join(name),
        _ => name.clone(),
    };
    let failed = |error: String| {
        Failure::new(
            format!("--netns: {} cannot be entered ({error})", path.display()),
            "Pass a name of ip netns list, or a file such as /proc/PID/ns/net, as root.",
        )
    };
    let file = std::fs::File::open(&path).map_err(|error| failed(error.to_string()))?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|error| failed(error.desc().to_owned()))
}
