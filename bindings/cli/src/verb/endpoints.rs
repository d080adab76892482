//! `subflows endpoints [show | add | change | remove | flush]`

use std::net::{IpAddr, SocketAddrV6};

use clap::{Args, Subcommand};
use subflows::{AddEndpoint, Endpoint, address_text};

use super::yes_or_no;
use crate::failure::Failure;
use crate::output::{Output, note};
use crate::table::column::ID;
use crate::table::{Align, Cell, FAINT, Table};

/// Show or change the endpoints of the kernel's path manager
///
/// An endpoint is a local address, and what the kernel does with it on every connection of this network
/// namespace that it manages. Without a further word, the endpoints are shown. Changing them requires
/// CAP_NET_ADMIN.
#[derive(Args, Debug)]
pub(crate) struct Endpoints {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
enum Action {
    /// Show the endpoints, in the order of their ids
    Show,
    /// Add an endpoint, and print it as the kernel has it
    Add(Add),
    /// Change the flags of an endpoint that can change: backup and fullmesh
    Change(Change),
    /// Remove an endpoint; the kernel closes the subflows of its address
    Remove {
        /// The id of the endpoint
        id: u8,
    },
    /// Remove every endpoint
    Flush,
}

#[derive(Args, Debug)]
struct Add {
    /// An address of this host
    #[arg(value_name = "ADDR", value_parser = address)]
    address: (IpAddr, u32),
    /// The interface by which its subflows leave [default: the one that the routing table selects]
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// The port to announce with the address; the kernel listens on it
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// The address id, 1 to 255 [default: a free one]
    #[arg(long, value_name = "N")]
    id: Option<u8>,
    /// Announce the address to peers
    #[arg(long)]
    signal: bool,
    /// Open a subflow from the address on connections of clients
    #[arg(long)]
    subflow: bool,
    /// Make its subflows backups
    #[arg(long)]
    backup: bool,
    /// Open a subflow to each address of the peer; not together with --signal
    #[arg(long)]
    fullmesh: bool,
    /// Open a subflow when a peer announces an address (Linux 6.18)
    #[arg(long)]
    laminar: bool,
}

#[derive(Args, Debug)]
struct Change {
    /// The id of the endpoint
    id: u8,
    /// Whether its subflows are backups
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no())]
    #[arg(ignore_case = true, hide_possible_values = true, required_unless_present = "fullmesh")]
    backup: Option<bool>,
    /// Whether the kernel opens a subflow to each address of the peer
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no())]
    #[arg(ignore_case = true, hide_possible_values = true, required_unless_present = "backup")]
    fullmesh: Option<bool>,
}

impl Endpoints {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        match &self.action {
            None | Some(Action::Show) => show(out),
            Some(Action::Add(add)) => add.run(out),
            Some(Action::Change(change)) => change.run(out),
            Some(Action::Remove { id }) => {
                subflows::remove_endpoint(*id)?;
                out.done(format_args!("endpoint {id} is removed"))
            }
            Some(Action::Flush) => {
                subflows::flush_endpoints()?;
                out.done("every endpoint is removed")
            }
        }
    }
}

impl Add {
    fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let mut options = AddEndpoint::new()
            .signal(self.signal)
            .subflow(self.subflow)
            .backup(self.backup)
            .fullmesh(self.fullmesh)
            .laminar(self.laminar);
        options.interface.clone_from(&self.interface);
        if let (None, (IpAddr::V6(ip), scope @ 1..)) = (&self.interface, self.address) {
            // `fe80::1%eth0` names the interface, too.
            let written = address_text::written_ip(SocketAddrV6::new(ip, 0, 0, scope).into());
            options.interface = written.rsplit_once('%').map(|(_, name)| name.to_owned());
        }
        (options.port, options.id) = (self.port, self.id);
        let added = subflows::add_endpoint(self.address.0, &options)?;
        if out.is_json() {
            return out.record(&added);
        }
        Ok(out.table(&table(&[added]))?)
    }
}

impl Change {
    fn run(&self, out: &mut Output) -> Result<(), Failure> {
        if let Some(backup) = self.backup {
            subflows::set_endpoint_backup(self.id, backup)?;
        }
        if let Some(fullmesh) = self.fullmesh {
            subflows::set_endpoint_fullmesh(self.id, fullmesh)?;
        }
        out.done(format_args!("endpoint {} is changed", self.id))
    }
}

fn show(out: &mut Output) -> Result<(), Failure> {
    let endpoints = subflows::endpoints()?;
    if out.is_json() {
        return Ok(out.records(&endpoints)?);
    }
    if endpoints.is_empty() {
        note("no endpoints in this network namespace");
        return Ok(());
    }
    Ok(out.table(&table(&endpoints))?)
}

fn table(endpoints: &[Endpoint]) -> Table {
    let left = |title| (title, Align::Left);
    let port = ("PORT", Align::Right);
    let mut table = Table::new([ID, left("ADDRESS"), port, left("INTERFACE"), left("FLAGS")]);
    for endpoint in endpoints {
        let port = endpoint.port.map_or(String::new(), |port| port.to_string());
        let interface = match (&endpoint.interface, endpoint.interface_index) {
            (Some(name), _) => Cell::from(name.to_string()),
            (None, Some(index)) => Cell::styled(format!("{index} (gone)"), FAINT),
            (None, None) => Cell::from(""),
        };
        let address = endpoint.address.to_string();
        let flags = flags(endpoint).join(" ");
        table.row([
            endpoint.id.to_string().into(),
            address.into(),
            port.into(),
            interface,
            flags.into(),
        ]);
    }
    table
}

/// The flags, as `ip mptcp endpoint` writes them.
fn flags(endpoint: &Endpoint) -> Vec<&'static str> {
    let flags = [
        ("signal", endpoint.is_signal),
        ("subflow", endpoint.is_subflow),
        ("backup", endpoint.is_backup),
        ("fullmesh", endpoint.is_fullmesh),
        ("laminar", endpoint.is_laminar),
        ("implicit", endpoint.is_implicit),
    ];
    flags.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect()
}

/// An address of this host, and its scope.
fn address(text: &str) -> Result<(IpAddr, u32), String> {
    address_text::ip(text)
        .ok_or_else(|| "expected an IP address: 192.0.2.1, 2001:db8::1, fe80::1%eth0".to_owned())
}
