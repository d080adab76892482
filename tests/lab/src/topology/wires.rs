//! Subnets whose cables are wires: delay, rate, loss.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;

use super::Net;
use super::path::{Interface, Parts};
use super::subnets::Subnet;
use crate::namespace::Namespace;
use crate::sys::interface;
use crate::wire::{Wire, WireOptions, check_name};

/// The address plan and the interface numbers have room for this many.
const PATHS_MAX: usize = 100;

/// Builds client and server with a wire for each of these.
pub(super) fn build(paths: &[(&str, WireOptions)]) -> io::Result<Net> {
    check(paths)?;
    let (client, server) = (Namespace::new()?, Namespace::new()?);
    let cables = cable_namespace()?;
    let subnet = |(index, (name, _)): (usize, &(&str, WireOptions))| Subnet::new(index, name);
    let subnets: Vec<_> = paths.iter().enumerate().map(subnet).collect();
    let mut commands = String::new();
    for (index, (subnet, (_, options))) in subnets.iter().zip(paths).enumerate() {
        let (c, s, mtu) = (&subnet.client_interface, &subnet.server_interface, options.mtu);
        for (inner, outer, owner) in [('c', c, client.path()), ('s', s, server.path())] {
            let _ = write!(
                commands,
                "link add {inner}{index} mtu {mtu} type veth peer name {outer} mtu {mtu} \
                 netns {owner}\nlink set dev {inner}{index} arp off up\n"
            );
        }
    }
    cables.ip_batch(&commands)?;
    server.ip_batch(&subnets.iter().map(Subnet::server_commands).collect::<String>())?;
    client.ip_batch(&subnets.iter().map(Subnet::client_commands).collect::<String>())?;
    subnets.iter().try_for_each(|subnet| subnet.add_rules(&client))?;
    let mut built = Vec::new();
    for (index, (subnet, (_, options))) in subnets.into_iter().zip(paths).enumerate() {
        for (owner, name) in
            [(&client, &subnet.client_interface), (&server, &subnet.server_interface)]
        {
            let _entered = owner.enter()?;
            interface::behave_like_hardware(name)?;
        }
        let carrier = Interface { namespace: cables.clone(), name: format!("c{index}") };
        // Last: a wire whose ends are not up would count frames that it drops there.
        let wire = Wire::join(&cables, &carrier.name, &format!("s{index}"), *options)?;
        wire.end_after_connections_of([&client, &server]);
        let client = client.clone();
        built.push(subnet.into_path(Parts { client, carrier, sinks: vec![], wire: Some(wire) }));
    }
    Ok(Net { client, server, routers: Vec::new(), paths: built })
}

/// The namespace of the inner ends of the cables. They have no addresses and send nothing.
fn cable_namespace() -> io::Result<Namespace> {
    let cables = Namespace::new()?;
    for scope in ["all", "default"] {
        match cables.set_sysctl(&format!("net.ipv6.conf.{scope}.disable_ipv6"), "1") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(cables)
}

fn check(paths: &[(&str, WireOptions)]) -> io::Result<()> {
    let names: HashSet<_> = paths.iter().map(|(name, _)| name).collect();
    let problem = if paths.is_empty() || paths.len() > PATHS_MAX {
        format!("cannot make a network of {} paths: use 1 to {PATHS_MAX}", paths.len())
    } else if names.len() < paths.len() {
        "two paths have the same name: use a different name for each".to_owned()
    } else if let Some(Err(problem)) =
        paths.iter().map(|(name, _)| check_name(name)).find(Result::is_err)
    {
        format!("cannot make a path: {problem}")
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}
