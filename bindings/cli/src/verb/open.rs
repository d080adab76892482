//! `subflows open TOKEN`

use std::net::{IpAddr, SocketAddr};
use std::slice;
use std::time::Duration;

use clap::Args;

use crate::failure::Failure;
use crate::holder;
use crate::output::Output;
use crate::paths;
use crate::token::Token;

/// Open one more subflow, and wait until it is usable
///
/// Prints the new subflow. Needs a connection that its application controls (the option `control`
/// of `connect`, or `net.mptcp.path_manager=userspace` when it was made), and CAP_NET_ADMIN. A
/// connection that fails to open a subflow goes on as before.
#[derive(Args, Debug)]
pub(crate) struct Open {
    /// The connection
    token: Token,
    /// The local address to open it from [default: one of the interface, or the initial subflow's]
    #[arg(long, value_name = "ADDR")]
    local: Option<IpAddr>,
    /// The interface to send by [default: the one that owns the local address]
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// The peer's address; without a port, that of the connection [default: as connected to]
    #[arg(long, value_name = "ADDR:PORT", value_parser = remote)]
    remote: Option<SocketAddr>,
    /// Ask the peer to use it as backup only, from the start
    #[arg(long)]
    backup: bool,
    /// How long to try, such as 5s or 500ms
    #[arg(long, value_name = "TIME", default_value = "5s")]
    #[arg(value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// The local port [default: a free one of the ephemeral range]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    local_port: u16,
    /// Leave the choice of the interface to the routing table: only for hosts whose routing rules
    /// look at the source address
    #[arg(long)]
    unbound: bool,
}

impl Open {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let held = holder::hold(self.token)?;
        let subflow = subflows::open(&held, &self.options())?;
        let path = paths::with_details(&held, subflow);
        if out.is_json() {
            return Ok(out.json(&paths::json(&path))?);
        }
        Ok(out.table(&paths::table(slice::from_ref(&path)))?)
    }

    fn options(&self) -> subflows::Open {
        let mut options = subflows::Open::new()
            .backup(self.backup)
            .timeout(self.timeout)
            .local_port(self.local_port)
            .unbound(self.unbound);
        options.local = self.local;
        options.interface = self.interface.clone();
        options.remote = self.remote;
        options
    }
}

/// An address with a port, or without: 0 stands for the port that was connected to.
fn remote(text: &str) -> Result<SocketAddr, String> {
    let alone = |_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
    text.parse().or_else(alone).map_err(|_| {
        "an address is an IP address, with or without a port: 192.0.2.1:443, [2001:db8::1]:443"
            .to_owned()
    })
}
