//! Connect, list the paths, open a second one over an interface, close it again.
//!
//! `list_and_open HOST:PORT INTERFACE`, with CAP_NET_ADMIN. The server must send at least one byte.

use std::error::Error;
use std::io::Read;

use subflows::{Connect, Open};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(interface)) = (arguments.next(), arguments.next()) else {
        return Err("usage: list_and_open HOST:PORT INTERFACE".into());
    };
    let mut stream = subflows::connect(server, &Connect::new().control(true))?;

    // A connection accepts further subflows as soon as its first byte has arrived.
    stream.read_exact(&mut [0])?;

    let extra = subflows::open(&stream, &Open::new().interface(interface))?;
    for path in subflows::list(&stream)? {
        println!("{} {} -> {} {} us", path.id, path.local, path.remote, path.rtt_us);
    }
    subflows::close(&stream, extra.id)?;
    println!("{} left", subflows::list(&stream)?.len());
    Ok(())
}
