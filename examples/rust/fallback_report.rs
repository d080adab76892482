//! Reports whether the server, and every host on the path to it, supports Multipath TCP.
//!
//! `fallback_report HOST:PORT`. The server must send at least one byte. Requires no privilege.

use std::error::Error;
use std::io::Read;
use std::time::Duration;

use subflows::{Connect, State};

fn main() -> Result<(), Box<dyn Error>> {
    let Some(server) = std::env::args().nth(1) else {
        return Err("usage: fallback_report HOST:PORT".into());
    };
    let options = Connect::new().timeout(Duration::from_secs(10));
    let mut stream = subflows::connect(server, &options)?;
    println!("after the handshake: {}", verdict(&stream)?);

    // Some middleboxes strip the options of data segments only: check again.
    stream.read_exact(&mut [0])?;
    println!("after the first byte: {}", verdict(&stream)?);
    Ok(())
}

fn verdict(stream: &std::net::TcpStream) -> subflows::Result<&'static str> {
    Ok(match subflows::status(stream)?.state {
        State::Mptcp => "Multipath TCP",
        State::FellBack => "plain TCP: the server or a middlebox does not support Multipath TCP",
        State::Tcp => "plain TCP: this kernel has no Multipath TCP, or it is switched off",
        _ => "the connection is closed",
    })
}
