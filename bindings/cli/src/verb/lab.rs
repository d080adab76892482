//! `subflows lab`

use std::ffi::OsString;
use std::fs;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::process::{self, Command};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use subflows::{ErrorKind, address_text};
use subflows_lab::{BoxSpec, Net, PathSpec, Topology, WireOptions, box_names};

use crate::child_process::{self, FAILED, Server};
use crate::failure::Failure;
use crate::output::{Output, note, print_error};
use crate::units;
use crate::user_namespace::{self, Privileges};

/// How long a server may take to listen.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The help after the options, with the list of middleboxes.
fn more_help() -> String {
    let boxes: String = box_names().map(|(name, what)| format!("  {name:<16} {what}\n")).collect();
    MORE_HELP.replacen("BOXES\n", &boxes, 1)
}

const MORE_HELP: &str = "\
PATH is NAME[:DELAY][:RATE][:LOSS]; the parts after the name may be in any order:
  NAME   the name of the client's interface
  DELAY  the one-way delay, half of the round-trip time: 20ms, 500us
  RATE   the rate of each direction: 50mbit, 1gbit
  LOSS   the random loss of each direction: 1%, 0.2%

NAME of a ready-made network: two-subnets, three-paths, far; laptop, strict-laptop (a client with two
routers that drop wrong source addresses); addresses (a client with more addresses than the right one);
link-local-only.

BOX is a middlebox on a path, as in --box wifi=strip-syn:
BOXES

The environment of COMMAND and of the server's COMMAND contains:
  SUBFLOWS_LAB_SERVER     the server's IPv4 address on the first path
  SUBFLOWS_LAB_SERVER6    its IPv6 address there
  SUBFLOWS_LAB_SERVER_NS  the server's network namespace, to run commands there:
                          nsenter --net=$SUBFLOWS_LAB_SERVER_NS COMMAND

Examples:
  subflows lab wifi:20ms:50mbit lte:60ms:20mbit
  subflows lab --join --server 'iperf3 -s' wifi:20mbit lte:20mbit -- \\
      sh -c 'mptcpize run iperf3 -R -c $SUBFLOWS_LAB_SERVER'

Exit status: that of COMMAND, or 128 + N if signal N ended it; 125 if the network cannot be made,
126 if COMMAND cannot be executed, 127 if it does not exist, 2 for a usage error.";

/// Run a command on a network of its own, with paths of given delay, rate and loss
///
/// Makes a client and a server with a wire between them for each PATH, runs COMMAND on the client,
/// and removes the network when COMMAND ends. The network is not visible from outside. Requires
/// iproute2, and root or permission to make user namespaces. The congestion control is reno.
#[derive(Args, Debug)]
#[command(after_help = more_help())]
pub(crate) struct Lab {
    /// The paths; the client prefers the first
    #[arg(value_name = "PATH", required_unless_present = "network")]
    paths: Vec<PathSpec>,
    /// Use a network that is ready-made instead of PATHs, such as laptop or link-local-only
    #[arg(long, value_name = "NAME", conflicts_with = "paths")]
    network: Option<Topology>,
    /// Run this on the server with sh(1), and end it afterwards. COMMAND starts when it listens
    #[arg(long, value_name = "COMMAND")]
    server: Option<OsString>,
    /// Let the kernel's path manager use all the paths, for every Multipath TCP connection
    #[arg(long)]
    join: bool,
    /// Put a middlebox into a path, which changes or drops segments. May be repeated
    #[arg(long = "box", value_name = "PATH=BOX", conflicts_with = "network")]
    boxes: Vec<BoxSpec>,
    /// Do not describe the network on standard error
    #[arg(long, short)]
    quiet: bool,
    /// What to run on the client [default: the shell]
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Lab {
    pub(super) fn run(&self, out: &mut Output) -> Result<u8, Failure> {
        let privileges = user_namespace::enter_if_needed()?;
        let failed = |error| Failure::system("cannot make the network", &error);
        let net = match self.network {
            Some(network) => network.build(),
            None => Net::from_specs(&self.paths),
        };
        let net = net.map_err(failed)?;
        for spec in &self.boxes {
            let wire = net.path(&spec.path).and_then(subflows_lab::Path::wire);
            let wire = wire.ok_or_else(|| self.no_such_path(spec))?;
            wire.add_boxed(spec.middlebox());
        }
        let first = &net.paths[0];
        let server_v6 = first.server_end(first.server_v6.into(), 0).map_err(failed)?;
        // The interface of its scope is one of the client.
        let server_v6 = net.client.run(|| address_text::written_ip(server_v6));
        if self.join {
            net.join_by_kernel().map_err(failed)?;
        }
        let server_namespace =
            format!("/proc/{}/fd/{}", process::id(), net.server.as_fd().as_raw_fd());
        if !self.quiet {
            if out.is_json() {
                print_error(&self.json(&net, &server_namespace));
            } else {
                self.describe(&net, &server_namespace, privileges);
            }
        }
        let variables = [
            ("SUBFLOWS_LAB_SERVER", net.paths[0].server_v4.to_string()),
            ("SUBFLOWS_LAB_SERVER6", server_v6),
            ("SUBFLOWS_LAB_SERVER_NS", server_namespace),
        ];
        let server = self.server.as_deref().map(|text| {
            let mut command = net.server.command("sh");
            start(command.arg("-c").arg(text).envs(variables.clone()), &net)
        });
        let _server = server.transpose()?;
        let (mut command, name) = self.command(&net);
        match child_process::run(command.envs(variables)) {
            Ok(status) => Ok(child_process::exit_code(status)),
            Err(error) => {
                note(format_args!("cannot run `{name}`: {error}"));
                Ok(child_process::not_started(&error))
            }
        }
    }

    fn no_such_path(&self, spec: &BoxSpec) -> Failure {
        let names: Vec<_> = self.paths.iter().map(|path| path.name.as_str()).collect();
        let text = format!("`{}` of --box is not a path", spec.path);
        Failure::new(ErrorKind::InvalidArgument, text)
            .remedy(format!("Use one of: {}.", names.join(", ")))
    }

    /// The command that runs on the client, and its name.
    fn command(&self, net: &Net) -> (Command, String) {
        let shell = || vec![std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())];
        let words = if self.command.is_empty() { shell() } else { self.command.clone() };
        let mut command = net.client.command(&words[0]);
        command.args(&words[1..]);
        (command, words[0].to_string_lossy().into_owned())
    }

    /// Describes the network for people: in one line, or in several before a shell.
    fn describe(&self, net: &Net, server_namespace: &str, privileges: Privileges) {
        if self.command.is_empty() {
            for (index, path) in net.paths.iter().enumerate() {
                let [local, remote] = if path.client_v4.is_unspecified() {
                    [path.client_v6.into(), path.server_v6.into()]
                } else {
                    [IpAddr::from(path.client_v4), path.server_v4.into()]
                };
                let properties = self.paths.get(index).map(|spec| properties(&spec.options));
                let properties = properties.map_or(String::new(), |text| format!(", {text}"));
                note(format_args!("{}: {local} -> {remote}{properties}", path.client_interface));
            }
            note("this shell runs on the client; exit it to remove the network");
        }
        note(format_args!("server side: nsenter --net={server_namespace} COMMAND"));
        if privileges == Privileges::OfNamespace && self.command.is_empty() {
            let user = format!("--user=/proc/{}/ns/user", process::id());
            note(format_args!(
                "  from another terminal: nsenter --preserve-credentials {user} \
                 --net={server_namespace} COMMAND"
            ));
        }
    }

    fn json(&self, net: &Net, server_namespace: &str) -> Value {
        let path = |(index, path): (usize, &subflows_lab::Path)| {
            // The wires of a ready-made network are not described.
            let options = self.paths.get(index).map(|spec| spec.options);
            json!({
                "name": path.client_interface,
                "client": [path.client_v4.to_string(), path.client_v6.to_string()],
                "server": [path.server_v4.to_string(), path.server_v6.to_string()],
                "delay_us": options.map(|options| options.delay.as_micros() as u64),
                "rate_bits_per_second": options.and_then(|options| options.rate_bits_per_second),
                "loss": options.map(|options| options.loss),
            })
        };
        let paths: Value = net.paths.iter().enumerate().map(path).collect();
        json!({ "server_namespace": server_namespace, "paths": paths })
    }
}

/// The exit status if the network cannot be made.
pub(super) fn exit_of(failure: &Failure) -> u8 {
    match failure.kind() {
        ErrorKind::InvalidArgument => failure.exit().into(),
        _ => FAILED,
    }
}

/// Starts the server and waits until it listens, so that COMMAND does not need to retry.
fn start(command: &mut Command, net: &Net) -> Result<Server, Failure> {
    let failed = |error| Failure::system("cannot start the server", &error);
    let mut server = Server::start(command).map_err(failed)?;
    if !server.wait_until(LISTEN_TIMEOUT, || net.server.run(is_listening)).map_err(failed)? {
        note("the server does not listen on any port; starting COMMAND without waiting for it");
    }
    Ok(server)
}

/// Whether the calling thread's network namespace has a TCP listener or an open UDP port.
fn is_listening() -> bool {
    const LISTEN: &str = "0A";
    const UDP_OPEN: &str = "07";
    let tables = [("tcp", LISTEN), ("tcp6", LISTEN), ("udp", UDP_OPEN), ("udp6", UDP_OPEN)];
    tables.into_iter().any(|(table, state)| {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{table}"));
        text.is_ok_and(|text| has_state(&text, state))
    })
}

fn has_state(table: &str, state: &str) -> bool {
    table.lines().skip(1).any(|line| line.split_whitespace().nth(3) == Some(state))
}

/// The properties of a wire as text.
fn properties(options: &WireOptions) -> String {
    let mut text = format!("{} each way", units::duration(options.delay));
    if let Some(rate) = options.rate_bits_per_second {
        text.push_str(&format!(", {}", units::rate(rate as f64)));
    }
    if options.loss > 0.0 {
        text.push_str(&format!(", {}% loss", options.loss * 100.0));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_seen_in_the_kernels_table() {
        let text = "  sl  local_address rem_address   st tx_queue\n   \
                    0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n";
        assert!(has_state(text, "0A"));
        assert!(!has_state(text, "07"));
        assert!(!has_state(text.lines().next().unwrap(), "st"));
    }

    #[test]
    fn a_wire_is_described() {
        let spec: PathSpec = "lte:60ms:20mbit:1%".parse().unwrap();
        assert_eq!(properties(&spec.options), "60.0 ms each way, 20.0 Mbit/s, 1% loss");
        let spec: PathSpec = "lte".parse().unwrap();
        assert_eq!(properties(&spec.options), "0 us each way");
    }
}
