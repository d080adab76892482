//! The verbs of core, one line for one call.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use subflows::{Announce, Announced, Connect, ConnectionsOptions, Events, Family, Listen, Open};

use crate::Verbs;
use crate::answer::{Answer, Fault, Fields, list, record};
use crate::own::Sockets;
use crate::request::Request;

const VERBS: &[&str] = &[
    "socket",
    "connect",
    "listen",
    "upgrade",
    "take_control",
    "status",
    "info",
    "list",
    "details",
    "open",
    "close",
    "force_close",
    "set_backup",
    "announce",
    "turn_away",
    "withdraw",
    "addresses",
    "events",
    "next",
    "unfollow",
    "connections",
    "connection",
    "capabilities",
];

/// Core, and the handles that it gave out.
#[derive(Debug, Default)]
pub struct Library {
    announced: HashMap<String, Announced>,
    events: HashMap<String, Events>,
}

impl Verbs for Library {
    fn names(&self) -> &'static [&'static str] {
        VERBS
    }

    fn perform(&mut self, sockets: &mut Sockets, request: &Request) -> Answer {
        let done = |()| Fields::new();
        match request.verb() {
            "socket" => {
                let family = if request.text("family")? == "v4" { Family::V4 } else { Family::V6 };
                sockets.keep(request, subflows::socket(family)?)
            }
            "connect" => {
                let to: SocketAddr = request.value("to")?;
                sockets.keep(request, subflows::connect(to, &connect(request)?)?)
            }
            "listen" => {
                let at: SocketAddr = request.value("at")?;
                let options = Listen::new().only_v6(request.is("only_v6")?);
                sockets.keep(request, subflows::listen(at, &options)?)
            }
            "upgrade" => Ok(subflows::upgrade(sockets.of(request)?).map(done)?),
            "take_control" => Ok(subflows::take_control(sockets.of(request)?).map(done)?),
            "status" => Ok(record(&subflows::status(sockets.of(request)?)?)),
            "info" => Ok(record(&subflows::info(sockets.of(request)?)?)),
            "list" => Ok(list(&subflows::list(sockets.of(request)?)?)),
            "addresses" => Ok(list(&subflows::addresses(sockets.of(request)?)?)),
            "details" => {
                Ok(record(&subflows::details(sockets.of(request)?, request.value("id")?)?))
            }
            "open" => Ok(record(&subflows::open(sockets.of(request)?, &open(request)?)?)),
            "close" => Ok(subflows::close(sockets.of(request)?, request.value("id")?).map(done)?),
            "force_close" => {
                let id = request.value("id")?;
                Ok(subflows::force_close(sockets.of(request)?, id).map(done)?)
            }
            "set_backup" => {
                let (id, yes) = (request.value("id")?, request.value("yes")?);
                Ok(subflows::set_backup(sockets.of(request)?, id, yes).map(done)?)
            }
            "connections" => {
                let options = ConnectionsOptions::new().subflows(request.is("subflows")?);
                Ok(list(&subflows::connections(&options)?))
            }
            "connection" => Ok(record(&subflows::connection(request.value("token")?)?)),
            "capabilities" => Ok(list(&subflows::capabilities()?)),
            _ => self.handles(sockets, request),
        }
    }
}

impl Library {
    fn handles(&mut self, sockets: &mut Sockets, request: &Request) -> Answer {
        match request.verb() {
            "announce" => {
                let mut options = Announce::new();
                options.port = request.maybe("port")?;
                let ip = request.value("ip")?;
                let announced = subflows::announce(sockets.of(request)?, ip, &options)?;
                let told =
                    Fields::new().with("id", announced.id()).with("address", announced.address());
                self.announced.insert(request.text("name")?.to_owned(), announced);
                Ok(told)
            }
            "turn_away" => {
                let announced = self.announced.get(request.text("handle")?);
                Ok(Fields::new().with("count", announced.ok_or_else(none)?.turn_away()?))
            }
            "withdraw" => {
                let announced = self.announced.remove(request.text("handle")?);
                announced.ok_or_else(none)?.withdraw()?;
                Ok(Fields::new())
            }
            "events" => {
                let events = match request.maybe_text("sock") {
                    Some(_) => subflows::events(sockets.of(request)?)?,
                    None => Events::of_namespace()?,
                };
                self.events.insert(request.text("name")?.to_owned(), events);
                Ok(Fields::new())
            }
            "unfollow" => {
                self.events.remove(request.text("handle")?);
                Ok(Fields::new())
            }
            _ => {
                let events = self.events.get_mut(request.text("handle")?).ok_or_else(none)?;
                let timeout = Duration::from_millis(request.value("timeout_ms")?);
                Ok(events.next(timeout)?.map_or_else(Fields::new, |event| record(&event)))
            }
        }
    }
}

fn none() -> Fault {
    Fault::protocol("no handle has this name")
}

fn milliseconds(request: &Request) -> Result<Option<Duration>, Fault> {
    Ok(request.maybe("timeout_ms")?.map(Duration::from_millis))
}

fn connect(request: &Request) -> Result<Connect, Fault> {
    let mut options = Connect::new().control(request.is("control")?);
    options.local = request.maybe("local")?;
    options.interface = request.maybe("interface")?;
    options.timeout = milliseconds(request)?;
    Ok(options)
}

fn open(request: &Request) -> Result<Open, Fault> {
    let mut options = Open::new().backup(request.is("backup")?).unbound(request.is("unbound")?);
    options.local = request.maybe("local")?;
    options.interface = request.maybe("interface")?;
    options.remote = request.maybe("remote")?;
    options.local_port = request.maybe("local_port")?.unwrap_or(0);
    if let Some(timeout) = milliseconds(request)? {
        options.timeout = timeout;
    }
    Ok(options)
}
