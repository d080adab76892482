//! A server that reports its clients' paths: one line for each path, when the client has sent data.
//!
//! `server_report ADDRESS:PORT CLIENTS` ends after CLIENTS clients. Requires no privilege.

use std::error::Error;
use std::io::{Read, Write};

use subflows::{Listen, State};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(clients)) = (arguments.next(), arguments.next()) else {
        return Err("usage: server_report ADDRESS:PORT CLIENTS".into());
    };
    let listener = subflows::listen(address, &Listen::new())?;
    println!("listening on {}", listener.local_addr()?);

    for _ in 0..clients.parse::<usize>()? {
        let (mut stream, peer) = listener.accept()?;
        stream.write_all(b"hello\n")?;
        stream.read_exact(&mut [0])?;
        match subflows::status(&stream)?.state {
            State::Mptcp => {
                for path in subflows::list(&stream)? {
                    let details = subflows::details(&stream, path.id)?;
                    let backup = if details.is_remote_backup { ", backup" } else { "" };
                    println!("{peer}: {} <- {}{backup}", path.local, path.remote);
                }
            }
            other => println!("{peer}: one path only ({other})"),
        }
    }
    Ok(())
}
