//! The world of a scenario while it is played: the network, a driver for each actor, and the names.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::time::Duration;

use subflows_lab::{DropSegments, Namespace, Net, Path, StripMptcp, path_manager_setting};
use tempfile::TempDir;

use crate::arguments::Arguments;
use crate::borrow;
use crate::broker::Broker;
use crate::driver::Driver;
use crate::ends::ends_in;
use crate::judge;
use crate::language::Language;
use crate::names::Names;
use crate::protocol::{Answer, Fields, Request};
use crate::step_error::{Result, StepError, failed};

/// The user `nobody`, who has no privileges and owns no files.
const NOBODY: u32 = 65_534;

/// A middlebox in a wire.
#[derive(Clone, Debug)]
pub enum Middlebox {
    /// Drops segments.
    Drop(DropSegments),
    /// Strips options.
    Strip(StripMptcp),
}

/// A continuous transfer.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The name of the connection.
    pub connection: String,
    /// The actor that sends.
    pub sender: String,
}

/// A request and its answer, for the report.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The actor and the request.
    pub request: String,
    /// The answer; empty if it has not come.
    pub answer: String,
}

/// Everything that one variant of a scenario has.
#[derive(Debug)]
pub struct World {
    pub(crate) language: Language,
    net: Option<Net>,
    other_namespace: Option<Namespace>,
    drivers: BTreeMap<String, Driver>,
    driver_copy: Option<TempDir>,
    /// Of both ends, by the name of the actor: a broker, and a copy of the driver.
    brokers: BTreeMap<&'static str, (Broker, TempDir)>,
    /// What has a name.
    pub names: Names,
    /// Middleboxes, each with the number of its path.
    pub middleboxes: Vec<(usize, Middlebox)>,
    /// The transfer that is running.
    pub transfer: Option<Transfer>,
    /// The rate of each path, in bits per second.
    pub rate: Option<u64>,
    /// Requests without an answer: by actor, the connection.
    pub pending: HashMap<String, String>,
    /// Whether requests go to a child of the driver.
    pub is_child: bool,
    /// The last exchange.
    pub last: Option<Exchange>,
}

impl World {
    /// A world without a network.
    pub fn new(language: &Language) -> World {
        World {
            language: language.clone(),
            net: None,
            other_namespace: None,
            drivers: BTreeMap::new(),
            driver_copy: None,
            brokers: BTreeMap::new(),
            names: Names::default(),
            middleboxes: Vec::new(),
            transfer: None,
            rate: None,
            pending: HashMap::new(),
            is_child: false,
            last: None,
        }
    }

    /// Takes the network.
    pub fn set_net(&mut self, net: Net) -> Result {
        if self.always_has_control() {
            let setting = path_manager_setting();
            net.client.run(|| std::fs::write(setting.file, setting.userspace))?;
        }
        if let Some(command) = &self.language.broker {
            for (actor, namespace) in [("client", &net.client), ("server", &net.server)] {
                let started = Broker::start(command, namespace)?;
                self.brokers.insert(actor, (started, TempDir::new()?));
            }
        }
        self.net = Some(net);
        Ok(())
    }

    /// Whether the namespace gives every connection to the program, because taking control does not
    /// work.
    pub fn always_has_control(&self) -> bool {
        self.language.cannot_take_control()
    }

    /// The network.
    pub fn net(&self) -> Result<&Net> {
        let net = self.net.as_ref();
        net.map_or_else(|| failed("the first step must be: network NAME"), Ok)
    }

    /// A path, counted from 1.
    pub fn path(&self, number: usize) -> Result<&Path> {
        let path = number.checked_sub(1).and_then(|index| self.net.as_ref()?.paths.get(index));
        path.map_or_else(|| failed(format!("the network has no path {number}")), Ok)
    }

    /// The namespace of an actor.
    pub fn namespace(&self, actor: &str) -> Result<&Namespace> {
        match actor {
            "client" | "unprivileged" => Ok(&self.net()?.client),
            "server" => Ok(&self.net()?.server),
            "outsider" => match &self.other_namespace {
                Some(other) => Ok(other),
                None => failed("the outsider must first receive a socket"),
            },
            _ => failed(format!(
                "unknown actor {actor}: write client, server, unprivileged or outsider"
            )),
        }
    }

    /// Sends a request to an actor's driver, or to a child of it, and waits for the answer.
    pub fn ask(&mut self, actor: &str, request: Request) -> Result<(Answer, Duration)> {
        let request = if self.is_child { request.in_child() } else { request };
        self.record(actor, &request);
        let (answer, elapsed) = self.driver(actor)?.ask(&request)?;
        self.record_answer(format!("{answer} ({} ms)", elapsed.as_millis()));
        self.skip_what_no_broker_permits(actor, &request, &answer)?;
        Ok((answer, elapsed))
    }

    /// Whether a broker acts for that actor.
    pub(crate) fn has_broker(&self, actor: &str) -> bool {
        self.brokers.contains_key(actor)
    }

    /// Ends a variant that needs what the broker permits to no program without privileges: the events of the
    /// whole namespace, the mark of a subflow, and what the peer has announced before the program knew the token
    /// of the connection.
    fn skip_what_no_broker_permits(
        &self,
        actor: &str,
        request: &Request,
        answer: &Answer,
    ) -> Result {
        let text = request.to_string();
        let is_of_namespace = text.starts_with("events ") && !text.contains(" sock=");
        let is_mark = text.starts_with("set_option ") && text.contains("option=mark");
        let is = |refused| matches!(answer, Answer::Err(kind, _) if kind == refused);
        let is_unknown = text.starts_with("peer_addresses ") && is("InvalidState");
        let is_refused = is_unknown || (is("NotPermitted") && (is_of_namespace || is_mark));
        if self.has_broker(actor) && is_refused {
            Err(StepError::Skipped(format!("the broker does not permit: {text}")))
        } else {
            Ok(())
        }
    }

    /// Sends a request that must succeed, and returns the fields of the answer.
    pub fn done(&mut self, actor: &str, request: Request) -> Result<Fields> {
        self.ask(actor, request)?.0.done()
    }

    /// Sends a request, and compares the answer with the one that the step expects. Returns the
    /// fields, or `None` if an error was expected.
    pub fn request(
        &mut self,
        actor: &str,
        request: Request,
        arguments: &Arguments,
    ) -> Result<Option<Fields>> {
        let (answer, _) = self.ask(actor, request)?;
        compare(answer, arguments)
    }

    /// Sends a request, and leaves the answer for a later step.
    pub fn begin(&mut self, actor: &str, request: &Request, connection: &str) -> Result {
        self.record(actor, request);
        self.driver(actor)?.begin(request)?;
        self.pending.insert(actor.to_owned(), connection.to_owned());
        Ok(())
    }

    fn record(&mut self, actor: &str, request: &Request) {
        let request = format!("{actor}: {request}");
        self.last = Some(Exchange { request, answer: String::new() });
    }

    /// Adds the answer to the last exchange.
    pub fn record_answer(&mut self, answer: String) {
        if let Some(last) = &mut self.last {
            last.answer = answer;
        }
    }

    /// The driver of an actor. Those of the client and the server start at their first request.
    pub fn driver(&mut self, actor: &str) -> Result<&mut Driver> {
        if !self.drivers.contains_key(actor) {
            if !["client", "server"].contains(&actor) {
                return failed(format!("{actor} must first receive a socket"));
            }
            let namespace = self.namespace(actor)?;
            let driver = match self.brokers.get(actor) {
                Some((broker, folder)) => {
                    let mut command = self.language.command_as(NOBODY, folder)?;
                    command.env("SUBFLOWS_BROKER", broker.socket());
                    Driver::start(command, namespace)?
                }
                None => Driver::of(&self.language, namespace)?,
            };
            self.drivers.insert(actor.to_owned(), driver);
        }
        Ok(self.drivers.get_mut(actor).expect("it was just inserted"))
    }

    /// Ends every driver, or keeps it for another variant.
    pub fn finish(&mut self) -> Result {
        for (actor, driver) in std::mem::take(&mut self.drivers) {
            let is_usual = ["client", "server"].contains(&&*actor);
            if is_usual && !self.brokers.contains_key(&*actor) {
                driver.release(&self.language)?
            } else {
                driver.finish()?
            }
        }
        Ok(())
    }

    /// Starts a driver that inherits the client's connection: as a user without privileges, or in
    /// another network namespace.
    pub fn give(&mut self, connection: &str, actor: &str) -> Result {
        let sock = self.borrow(connection)?;
        let mut command = if actor == "unprivileged" {
            if !borrow::has_user(NOBODY) {
                let why = format!("this user namespace has no user {NOBODY}");
                return Err(StepError::Skipped(why));
            }
            self.language.command_as(NOBODY, self.driver_copy.insert(TempDir::new()?))?
        } else {
            self.other_namespace = Some(Namespace::new()?);
            self.language.command()
        };
        borrow::inherit(&mut command, sock)?;
        let driver = Driver::start(command, self.namespace(actor)?)?;
        self.drivers.insert(actor.to_owned(), driver);
        let take = Request::new("plain.take_fd").with("name", connection);
        self.done(actor, take.with("fd", borrow::NUMBER))?;
        let ends = self.names.ends("client", connection)?;
        if let Some(shared) = self.names.connections.get_mut(connection) {
            shared.ends.insert(actor.to_owned(), ends);
        }
        Ok(())
    }

    /// A duplicate of the descriptor by which the client's driver holds a connection.
    fn borrow(&mut self, connection: &str) -> Result<OwnedFd> {
        let ends = self.names.ends("client", connection)?;
        let pid = self.driver("client")?.pid();
        Ok(borrow::socket(self.namespace("client")?, pid, ends)?)
    }

    /// The token that ss shows for an actor's end of a connection. It never changes, so that it is
    /// read once.
    pub fn token(&mut self, actor: &str, connection: &str) -> Result<u32> {
        let known = self.names.connection(connection)?.tokens.get(actor).copied();
        if let Some(token) = known {
            return Ok(token);
        }
        let token = self.shown_token(actor, connection)?;
        if let Some(connection) = self.names.connections.get_mut(connection) {
            connection.tokens.insert(actor.to_owned(), token);
        }
        Ok(token)
    }

    /// The token that ss shows now.
    pub fn shown_token(&self, actor: &str, connection: &str) -> Result<u32> {
        let ends = self.names.ends(actor, connection)?;
        let token = judge::token(self.namespace(actor)?, ends);
        token.map_or_else(|| failed(format!("ss -M shows no connection {ends:?}")), Ok)
    }

    /// The id of a subflow in an actor's library: its list is read once, and the id is kept.
    pub fn id(&mut self, actor: &str, name: &str) -> Result<u32> {
        let subflow = self.names.subflow(name)?;
        if let Some(id) = subflow.ids.get(actor) {
            return Ok(*id);
        }
        let connection = subflow.connection.clone();
        let ends = self.names.subflow_ends(actor, name)?;
        for listed in self.list(actor, &connection)? {
            if ends_in(&listed)? == ends {
                let id = listed.value("id")?;
                if let Some(subflow) = self.names.subflows.get_mut(name) {
                    subflow.ids.insert(actor.to_owned(), id);
                }
                return Ok(id);
            }
        }
        failed(format!("the list of {actor} does not contain {name}"))
    }

    /// The subflows that an actor's library lists.
    pub fn list(&mut self, actor: &str, sock: &str) -> Result<Vec<Fields>> {
        self.done(actor, Request::new("list").with("sock", sock))?.list()
    }

    /// What the drivers and the broker wrote to their standard errors, for the report.
    pub fn driver_errors(&mut self) -> String {
        let logs = self.brokers.iter().map(|(actor, (broker, _))| {
            format!("\nthe broker of {actor} wrote:\n{}", broker.log())
        });
        let logs: String = logs.collect();
        let each = self.drivers.iter_mut().filter_map(|(actor, driver)| {
            let text = driver.errors();
            (!text.is_empty()).then(|| format!("\nthe driver of {actor} wrote:{text}"))
        });
        each.chain([logs]).collect()
    }
}

/// Compares an answer with the one that the step expects. Returns the fields, or `None` if an error
/// was expected.
pub fn compare(answer: Answer, arguments: &Arguments) -> Result<Option<Fields>> {
    match (answer, arguments.expected_error()) {
        (Answer::Err(kind, _), Some(expected)) if kind == expected => Ok(None),
        (answer, Some(expected)) => failed(format!("expected {expected}, got: {answer}")),
        (answer, None) => {
            let fields = answer.done()?;
            for (name, expected) in arguments.expected_fields() {
                let found = fields.get(name).unwrap_or("absent");
                if found != expected {
                    return failed(format!("expected {name}={expected}, got: {fields}"));
                }
            }
            Ok(Some(fields))
        }
    }
}
