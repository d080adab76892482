//! A server that opens a second path for large answers, and closes it after them.
//!
//! `large_answers ADDRESS:PORT INTERFACE CLIENTS` ends after CLIENTS clients. Each line that a
//! client sends is a number of bytes, and the server answers with as many. The second path goes
//! over the interface to an address that the client has announced with a port: without a port, no
//! program listens there. If the client is behind a NAT, the server would have to announce its own
//! address, and the client to open the subflow.
//!
//! Requires CAP_NET_ADMIN, and `sysctl net.mptcp.path_manager=userspace`, so that this program
//! controls the connections that it accepts.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use subflows::{ErrorKind, EventKind, Events, Listen, Open, Subflow};

const LARGE: usize = 1 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(interface), Some(clients)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: large_answers ADDRESS:PORT INTERFACE CLIENTS".into());
    };
    let listener = subflows::listen(address, &Listen::new())?;
    println!("listening on {}", listener.local_addr()?);

    for _ in 0..clients.parse::<usize>()? {
        let (stream, _) = listener.accept()?;
        serve(stream, &interface)?;
    }
    Ok(())
}

fn serve(mut stream: TcpStream, interface: &str) -> Result<(), Box<dyn Error>> {
    let mut events = match subflows::events(&stream) {
        // A client with plain TCP has one path, and announces no address.
        Err(error) if error.kind() == ErrorKind::NotMptcp => None,
        events => Some(events?),
    };
    let mut announced = None;
    let mut extra: Option<Subflow> = None;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let size: usize = line?.parse()?;
        if let Some(path) = extra.take() {
            // A new request means that the client has the whole answer: this path is idle.
            subflows::close(&stream, path.id)?;
        }
        if let Some(events) = &mut events {
            announced = last_announced(events)?.or(announced);
        }
        if let (true, Some(remote)) = (size >= LARGE, announced) {
            extra = second_path(&stream, interface, remote);
        }
        stream.write_all(&(0..size).map(|place| place as u8).collect::<Vec<_>>())?;
        println!("{size} bytes over {}", if extra.is_some() { "two paths" } else { "one path" });
    }
    Ok(())
}

/// The address that the client has announced since the last call.
fn last_announced(events: &mut Events) -> subflows::Result<Option<SocketAddr>> {
    let mut last = None;
    while let Some(event) = events.try_next()? {
        if event.kind == EventKind::AddressAnnounced {
            last = event.remote;
        }
    }
    Ok(last)
}

fn second_path(stream: &TcpStream, interface: &str, remote: SocketAddr) -> Option<Subflow> {
    let options = Open::new().interface(interface).remote(remote).timeout(Duration::from_secs(1));
    // If the second path cannot be opened, the answer uses the first.
    subflows::open(stream, &options).inspect_err(|error| eprintln!("{error}")).ok()
}
