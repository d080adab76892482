//! The operations of core, a line for each, and the methods of the handles that they return.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use subflows::{
    AddEndpoint, Announce, Announced, Connect, ConnectionsOptions, Doctor, Events, Family, Listen,
    Open, OptionValue, Probe, SubflowOption,
};

use crate::Verbs;
use crate::answer::{Answer, Fault, Fields, done, list, record};
use crate::plain_sockets::PlainSockets;
use crate::request::Request;

/// Carries out one verb.
type Perform = fn(&mut Call<'_>) -> Answer;

const VERBS: &[(&str, Perform)] = &[
    ("socket", |call| call.keep(subflows::socket(family(call.request)?)?)),
    ("connect", |call| call.keep(subflows::connect(call.address()?, &connect(call.request)?)?)),
    ("listen", |call| call.keep(subflows::listen(call.address()?, &listen(call.request)?)?)),
    ("upgrade", |call| done(subflows::upgrade(call.sock()?))),
    ("take_control", |call| done(subflows::take_control(call.sock()?))),
    ("status", |call| record(&subflows::status(call.sock()?)?)),
    ("info", |call| record(&subflows::info(call.sock()?)?)),
    ("list", |call| list(&subflows::list(call.sock()?)?)),
    ("details", |call| record(&subflows::details(call.sock()?, call.request.value("id")?)?)),
    ("open", |call| record(&subflows::open(call.sock()?, &open(call.request)?)?)),
    ("close", close),
    ("set_backup", set_backup),
    ("set_option", set_option),
    ("get_option", get_option),
    ("options", |call| record(&subflows::options(call.sock()?, call.request.value("id")?)?)),
    ("set_raw_option", set_raw_option),
    ("get_raw_option", get_raw_option),
    ("announce", announce),
    ("announced.turn_away", turn_away),
    ("announced.withdraw", withdraw),
    ("addresses", |call| list(&subflows::addresses(call.sock()?)?)),
    ("peer_addresses", |call| list(&subflows::peer_addresses(call.sock()?)?)),
    ("events", events),
    ("events.next", next),
    ("events.close", close_events),
    ("connections", |call| list(&subflows::connections(&connections(call.request)?)?)),
    ("connection", |call| record(&subflows::connection(call.request.value("token")?)?)),
    ("endpoints", |_| list(&subflows::endpoints()?)),
    ("add_endpoint", add_endpoint),
    ("set_endpoint_backup", |call| {
        let (id, backup) = (call.request.value("endpoint_id")?, call.request.value("backup")?);
        done(subflows::set_endpoint_backup(id, backup))
    }),
    ("set_endpoint_fullmesh", |call| {
        let (id, fullmesh) = (call.request.value("endpoint_id")?, call.request.value("fullmesh")?);
        done(subflows::set_endpoint_fullmesh(id, fullmesh))
    }),
    ("remove_endpoint", |call| done(subflows::remove_endpoint(call.request.value("endpoint_id")?))),
    ("flush_endpoints", |_| done(subflows::flush_endpoints())),
    ("limits", |_| record(&subflows::limits()?)),
    ("set_limits", |call| {
        let accepted = call.request.value("add_addr_accepted")?;
        done(subflows::set_limits(call.request.value("subflows")?, accepted))
    }),
    ("settings", |_| record(&subflows::settings()?)),
    ("set_setting", |call| {
        let value = OptionValue::parse(call.request.text("value")?);
        done(subflows::set_setting(call.request.text("setting")?, value))
    }),
    ("counters", |_| list(&subflows::counters()?)),
    ("capabilities", |_| list(&subflows::capabilities()?)),
    ("doctor", doctor),
    ("probe", |call| {
        let mut options = Probe::new();
        options.data = call.request.maybe("data")?;
        options.timeout = milliseconds(call.request)?;
        record(&subflows::probe(call.address()?, &options)?)
    }),
    ("diagnose", |call| list(&subflows::diagnose(call.sock()?)?)),
];

/// The handles that core returned, by their names.
#[derive(Debug, Default)]
pub struct Library {
    announced: HashMap<String, Announced>,
    events: HashMap<String, Events>,
}

impl Verbs for Library {
    fn names(&self) -> Vec<&'static str> {
        VERBS.iter().map(|(name, _)| *name).collect()
    }

    fn perform(&mut self, sockets: &mut PlainSockets, request: &Request) -> Answer {
        let known = VERBS.iter().find(|(name, _)| *name == request.verb());
        let (_, perform) = known.ok_or_else(|| Fault::unknown_verb(request))?;
        perform(&mut Call { library: self, sockets, request })
    }
}

/// A request, and what it may need.
struct Call<'a> {
    library: &'a mut Library,
    sockets: &'a mut PlainSockets,
    request: &'a Request,
}

impl Call<'_> {
    fn sock(&self) -> Result<&OwnedFd, Fault> {
        self.sockets.of(self.request)
    }

    fn keep(&mut self, sock: impl Into<OwnedFd>) -> Answer {
        self.sockets.keep(self.request, sock)
    }

    fn address(&self) -> Result<SocketAddr, Fault> {
        self.request.value("address")
    }

    fn handle(&self) -> Result<&str, Fault> {
        self.request.text("handle")
    }
}

fn close(call: &mut Call<'_>) -> Answer {
    let (sock, id) = (call.sock()?, call.request.value("id")?);
    let is_forced = call.request.is("force")?;
    done(if is_forced { subflows::force_close(sock, id) } else { subflows::close(sock, id) })
}

fn set_backup(call: &mut Call<'_>) -> Answer {
    let (id, backup) = (call.request.value("id")?, call.request.value("backup")?);
    done(subflows::set_backup(call.sock()?, id, backup))
}

fn option(call: &Call<'_>) -> Result<SubflowOption, Fault> {
    let key = call.request.text("option")?;
    SubflowOption::from_key(key).ok_or_else(|| Fault::protocol(format!("no option is {key}")))
}

fn set_option(call: &mut Call<'_>) -> Answer {
    let value = OptionValue::parse(call.request.text("value")?);
    done(subflows::set_option(call.sock()?, call.request.value("id")?, option(call)?, value))
}

fn get_option(call: &mut Call<'_>) -> Answer {
    let id = call.request.value("id")?;
    Ok(Fields::new().with("value", subflows::get_option(call.sock()?, id, option(call)?)?))
}

fn set_raw_option(call: &mut Call<'_>) -> Answer {
    let value = OptionValue::parse(call.request.text("value")?);
    let [id, level, number] = raw_option(call.request)?;
    done(subflows::set_raw_option(call.sock()?, id, level, number, value))
}

fn get_raw_option(call: &mut Call<'_>) -> Answer {
    let ([id, level, number], length) = (raw_option(call.request)?, call.request.value("length")?);
    let value = subflows::get_raw_option(call.sock()?, id, level, number, length)?;
    Ok(Fields::new().with("value", value))
}

fn raw_option(request: &Request) -> Result<[u32; 3], Fault> {
    Ok([request.value("id")?, request.value("level")?, request.value("number")?])
}

fn announce(call: &mut Call<'_>) -> Answer {
    let mut options = Announce::new();
    options.port = call.request.maybe("port")?;
    let address = call.request.value("address")?;
    let announced = subflows::announce(call.sock()?, address, &options)?;
    let fields = Fields::new().with("id", announced.id()).with("address", announced.address());
    call.library.announced.insert(call.request.text("name")?.to_owned(), announced);
    Ok(fields)
}

fn turn_away(call: &mut Call<'_>) -> Answer {
    let announced = call.library.announced.get(call.handle()?).ok_or_else(unknown_handle)?;
    Ok(Fields::new().with("count", announced.turn_away()?))
}

fn withdraw(call: &mut Call<'_>) -> Answer {
    let handle = call.handle()?.to_owned();
    done(call.library.announced.remove(&handle).ok_or_else(unknown_handle)?.withdraw())
}

fn events(call: &mut Call<'_>) -> Answer {
    let events = match call.request.maybe_text("sock") {
        Some(_) => subflows::events(call.sock()?)?,
        None => Events::of_namespace()?,
    };
    call.library.events.insert(call.request.text("name")?.to_owned(), events);
    Ok(Fields::new())
}

fn next(call: &mut Call<'_>) -> Answer {
    let handle = call.handle()?.to_owned();
    let events = call.library.events.get_mut(&handle).ok_or_else(unknown_handle)?;
    let timeout = Duration::from_millis(call.request.value("timeout_ms")?);
    events.next(timeout)?.map_or_else(|| Ok(Fields::new()), |event| record(&event))
}

fn close_events(call: &mut Call<'_>) -> Answer {
    let handle = call.handle()?.to_owned();
    call.library.events.remove(&handle).ok_or_else(unknown_handle)?;
    Ok(Fields::new())
}

fn unknown_handle() -> Fault {
    Fault::protocol("no handle has this name")
}

fn family(request: &Request) -> Result<Family, Fault> {
    Ok(if request.text("family")? == "v4" { Family::V4 } else { Family::V6 })
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

fn listen(request: &Request) -> Result<Listen, Fault> {
    Ok(Listen::new().only_v6(request.is("only_v6")?))
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

fn add_endpoint(call: &mut Call<'_>) -> Answer {
    let request = call.request;
    let mut options = AddEndpoint::new()
        .signal(request.is("signal")?)
        .subflow(request.is("subflow")?)
        .backup(request.is("backup")?)
        .fullmesh(request.is("fullmesh")?)
        .laminar(request.is("laminar")?);
    options.interface = request.maybe("interface")?;
    options.port = request.maybe("port")?;
    options.id = request.maybe("id")?;
    record(&subflows::add_endpoint(request.value("address")?, &options)?)
}

fn doctor(call: &mut Call<'_>) -> Answer {
    let mut options = Doctor::new();
    options.remote = call.request.maybe("remote")?;
    if let Some(timeout) = milliseconds(call.request)? {
        options.timeout = timeout;
    }
    list(&subflows::doctor(&options)?)
}

fn connections(request: &Request) -> Result<ConnectionsOptions, Fault> {
    let options = ConnectionsOptions::new().subflows(request.is("subflows")?);
    Ok(options.processes(request.is("processes")?))
}
