//! `subflows broker`

use std::path::PathBuf;

use clap::Args;
use subflows::ErrorKind;
use subflows_broker::{Options, check, restore, run};

use crate::failure::Failure;
use crate::output::Output;
use crate::table::{Align, BAD, Cell, FAINT, GOOD, Table};

/// Steer the connections of programs without privileges
///
/// Run it as root. A program of this host without CAP_NET_ADMIN then uses the broker by itself: it passes
/// the socket of its connection to the broker, which checks the policy. Without a policy, root and the
/// members of the group subflows may use it. SUBFLOWS_BROKER=PATH makes a program use another socket, and
/// SUBFLOWS_BROKER=none makes it use none.
#[derive(Args, Debug)]
pub(crate) struct Broker {
    /// The policy [default: /etc/subflows/broker.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The socket to listen on [default: /run/subflows/broker.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Serve another network namespace: a name of `ip netns`, or a file such as /proc/PID/ns/net
    #[arg(long, value_name = "NAME")]
    netns: Option<PathBuf>,
    /// Offer metrics for Prometheus: the path of a socket, or a loopback address such as 127.0.0.1:9400
    #[arg(long, value_name = "PLACE", conflicts_with_all = ["check", "restore"])]
    metrics: Option<String>,
    /// Check the policy, and report what the broker could do here
    #[arg(long, conflicts_with = "restore")]
    check: bool,
    /// Set net.mptcp.path_manager back after a broker was killed while it changed the setting
    #[arg(long)]
    restore: bool,
}

impl Broker {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let options = Options {
            policy: self.policy.clone(),
            socket: self.socket.clone(),
            network_namespace: self.netns.clone(),
            metrics: self.metrics.clone(),
        };
        if self.restore {
            return restore(&options).map(drop).map_err(failed);
        }
        if !self.check {
            return run(&options).map_err(failed);
        }
        let mut table = Table::new([
            ("RIGHT", Align::Left),
            ("AVAILABLE", Align::Left),
            ("CAUSE, REMEDY", Align::Left),
        ]);
        let rights = check(&options).map_err(failed)?;
        for (name, missing) in &rights {
            let (word, style) = if missing.is_none() { ("yes", GOOD) } else { ("no", BAD) };
            table.row([(*name).into(), Cell::styled(word, style), "".into()]);
            for text in missing.iter().flat_map(|(cause, remedy)| [cause, remedy]) {
                table.row(["".into(), "".into(), Cell::styled(text.clone(), FAINT)]);
            }
        }
        out.table(&table)?;
        match rights.iter().find(|(name, missing)| *name == "steer" && missing.is_some()) {
            Some((_, Some((cause, remedy)))) => {
                Err(Failure::new(ErrorKind::NotPermitted, cause.clone()).remedy(remedy.clone()))
            }
            _ => Ok(()),
        }
    }
}

fn failed(failure: subflows_broker::Failure) -> Failure {
    Failure::new(ErrorKind::Os, failure.what).remedy(failure.remedy)
}
