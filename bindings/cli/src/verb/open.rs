//! `subflows open TOKEN`

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::slice;
use std::time::Duration;

use clap::Args;
use subflows::{ErrorKind, address_text};

use super::OfConnection;
use crate::failure::Failure;
use crate::output::Output;
use crate::row;

/// Open one more subflow and wait until it is usable
///
/// Prints the new subflow. If that fails, the connection goes on as before. Requires CAP_NET_ADMIN
/// and a connection that its application controls (the option `control` of `connect`, or
/// `net.mptcp.path_manager=userspace` when the connection was made).
#[derive(Args, Debug)]
pub(crate) struct Open {
    #[command(flatten)]
    of: OfConnection,
    /// The local address [default: an address of the interface, or that of the initial subflow]
    #[arg(long, value_name = "ADDR", value_parser = local)]
    local: Option<(IpAddr, u32)>,
    /// The interface to send by [default: the one that has the local address]
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// The peer's address; without a port, the port of the connection [default: the address of the
    /// connection]
    #[arg(long, value_name = "ADDR:PORT", value_parser = remote)]
    remote: Option<SocketAddr>,
    /// Ask the peer to use the subflow as backup only, from the start
    #[arg(long)]
    backup: bool,
    /// The timeout, such as 5s or 500ms
    #[arg(long, value_name = "TIME", default_value = "5s")]
    #[arg(value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// The local port [default: a free port of the ephemeral range]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    local_port: u16,
    /// Let the routing table choose the interface: only for hosts whose routing rules depend on the
    /// source address
    #[arg(long)]
    unbound: bool,
}

impl Open {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let options = self.options()?;
        let (_, sock) = self.of.borrow()?;
        let subflow = subflows::open(&sock, &options)?;
        let row = row::with_details(&sock, subflow);
        if out.is_json() {
            return Ok(out.object(&row::json(&row))?);
        }
        Ok(out.table(&row::table(slice::from_ref(&row)))?)
    }

    fn options(&self) -> Result<subflows::Open, Failure> {
        let mut options = subflows::Open::new()
            .backup(self.backup)
            .timeout(self.timeout)
            .local_port(self.local_port)
            .unbound(self.unbound);
        options.local = self.local.map(|(ip, _)| ip);
        options.interface = self.interface()?;
        options.remote = self.remote;
        Ok(options)
    }

    /// Returns the interface that is named, by itself or by the scope of the local address.
    fn interface(&self) -> Result<Option<String>, Failure> {
        let Some((IpAddr::V6(ip), scope @ 1..)) = self.local else {
            return Ok(self.interface.clone());
        };
        let local = address_text::written_ip(SocketAddrV6::new(ip, 0, 0, scope).into());
        let scope = local.rsplit_once('%').map(|(_, name)| name.to_owned());
        match (&self.interface, scope) {
            (Some(named), Some(scope)) if *named != scope => {
                let text = format!("{local} is an address of another interface than {named}");
                Err(Failure::new(ErrorKind::InvalidArgument, text)
                    .remedy(format!("Pass --interface {scope}, or none.")))
            }
            (_, scope) => Ok(scope),
        }
    }
}

/// An address with or without a port: 0 means the port of the connection.
fn remote(text: &str) -> Result<SocketAddr, String> {
    address_text::socket_address(text).ok_or_else(|| {
        "expected an IP address with or without a port: 192.0.2.1:443, [2001:db8::1]:443, \
         [fe80::1%eth0]:443"
            .to_owned()
    })
}

/// An address of this host, and its scope.
fn local(text: &str) -> Result<(IpAddr, u32), String> {
    address_text::ip(text)
        .ok_or_else(|| "expected an IP address: 192.0.2.1, 2001:db8::1, fe80::1%eth0".to_owned())
}
