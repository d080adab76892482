//! `subflows announce TOKEN ADDR`

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use subflows::{Announced, ErrorKind, address_text};

use super::OfConnection;
use crate::failure::Failure;
use crate::output::{Output, note};
use crate::stop::Stop;

/// How often to look whether the connection has ended.
const LOOK: Duration = Duration::from_millis(500);

/// Announce a local address to the peer, until this command ends
///
/// The peer can then open subflows to it. Ctrl-C, SIGTERM and SIGHUP withdraw the address and close the
/// subflows that use it. The command also ends when the connection ends. Requires CAP_NET_ADMIN and
/// a connection that its application controls.
#[derive(Args, Debug)]
pub(crate) struct Announce {
    #[command(flatten)]
    of: OfConnection,
    /// An address of this host
    #[arg(value_name = "ADDR", value_parser = super::local_ip)]
    address: IpAddr,
    /// The port that the peer connects to, on which this command listens; 0 chooses a free one
    /// [default: that of this end of the connection, on which the program must listen already]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// How many connections of other hosts may wait at that port until they are reset
    #[arg(long, value_name = "N", default_value_t = 128, requires = "port")]
    backlog: u32,
}

impl Announce {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let mut options = subflows::Announce::new().backlog(self.backlog);
        options.port = self.port;
        // Before the address is announced: a signal that comes then must withdraw it.
        let stop =
            Stop::new().map_err(|error| Failure::system("announce: no signal handler", &error))?;
        let (token, sock) = self.of.borrow()?;
        let announced = subflows::announce(&sock, self.address, &options)?;
        // A close of its program must end the connection.
        drop(sock);
        let (id, address) = (announced.id(), announced.address());
        if out.is_json() {
            out.object(&json!({ "id": id, "address": address_text::written(address) }))?;
        } else {
            let what = match address.port() {
                0 => address.ip().to_string(),
                _ => address_text::written(address),
            };
            out.line(format_args!("{what} is announced as address {id}; Ctrl-C withdraws it"))?;
        }
        loop {
            let listener: Vec<_> = announced.fd().into_iter().collect();
            let is_asked = stop.wait(&listener, LOOK);
            let is_asked =
                is_asked.map_err(|error| Failure::system("announce: cannot wait", &error))?;
            turn_away(&announced, out)?;
            if is_asked {
                announced.withdraw()?;
                return Ok(());
            }
            let gone = subflows::connection(token.0).err();
            if gone.is_some_and(|error| error.kind() == ErrorKind::Closed) {
                note(format_args!("connection {token} has ended"));
                return Ok(());
            }
        }
    }
}

/// Resets the connections of other hosts, which would fill the listener's backlog.
fn turn_away(announced: &Announced, out: &mut Output) -> Result<(), Failure> {
    match announced.turn_away()? {
        0 => Ok(()),
        count if out.is_json() => Ok(out.object(&json!({ "turned_away": count }))?),
        count => Ok(out.line(format_args!("turned away {count} connection(s) of other hosts"))?),
    }
}
