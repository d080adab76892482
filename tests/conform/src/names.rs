//! The names of a scenario: its connections, listeners, sockets, subflows and answers.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use crate::ends::{Ends, ends_in, mirrored};
use crate::family::Family;
use crate::protocol::Fields;
use crate::step_error::{Result, failed};

/// A socket that listens.
#[derive(Clone, Debug)]
pub struct Listener {
    /// The address to which peers connect.
    pub address: SocketAddr,
    /// The family of their connections.
    pub family: Family,
}

/// A connection, as each actor sees its ends.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its addresses.
    pub family: Family,
    /// By actor.
    pub ends: BTreeMap<String, Ends>,
    /// The tokens that ss shows, by actor, as far as they are known.
    pub tokens: BTreeMap<String, u32>,
}

/// A subflow that has a name.
#[derive(Clone, Debug)]
pub struct NamedSubflow {
    /// The name of its connection.
    pub connection: String,
    /// As the client sees it.
    pub ends: Ends,
    /// The id in each actor's library, as far as it is known.
    pub ids: BTreeMap<String, u32>,
}

/// Everything that has a name, by kind.
#[derive(Debug, Default)]
pub struct Names {
    /// Connections.
    pub connections: BTreeMap<String, Connection>,
    /// Listeners.
    pub listeners: HashMap<String, Listener>,
    /// Sockets without a connection, by their families.
    pub sockets: HashMap<String, Family>,
    /// Subflows.
    pub subflows: HashMap<String, NamedSubflow>,
    /// Answers to which later steps refer: events and announcements.
    pub answers: HashMap<String, Fields>,
}

impl Names {
    /// A connection.
    pub fn connection(&self, name: &str) -> Result<&Connection> {
        let found = self.connections.get(name);
        found.map_or_else(|| failed(format!("no connection has the name {name}")), Ok)
    }

    /// A subflow.
    pub fn subflow(&self, name: &str) -> Result<&NamedSubflow> {
        let found = self.subflows.get(name);
        found.map_or_else(|| failed(format!("no subflow has the name {name}")), Ok)
    }

    /// A listener.
    pub fn listener(&self, name: &str) -> Result<&Listener> {
        let found = self.listeners.get(name);
        found.map_or_else(|| failed(format!("no listener has the name {name}")), Ok)
    }

    /// An answer.
    pub fn answer(&self, name: &str) -> Result<&Fields> {
        let found = self.answers.get(name);
        found.map_or_else(|| failed(format!("no answer has the name {name}")), Ok)
    }

    /// The family of a socket: that of its connection, or IPv4 if it is not known.
    pub fn family(&self, sock: &str) -> Family {
        let connection = self.connections.get(sock).map(|connection| connection.family);
        let listener = self.listeners.get(sock).map(|listener| listener.family);
        connection.or(listener).or(self.sockets.get(sock).copied()).unwrap_or(Family::V4)
    }

    /// The ends of a connection, as an actor sees them.
    pub fn ends(&self, actor: &str, connection: &str) -> Result<Ends> {
        let ends = self.connection(connection)?.ends.get(actor).copied();
        ends.map_or_else(|| failed(format!("{actor} has no connection {connection}")), Ok)
    }

    /// The ends of a subflow, as an actor sees them.
    pub fn subflow_ends(&self, actor: &str, name: &str) -> Result<Ends> {
        Ok(seen_by(actor, self.subflow(name)?.ends))
    }

    /// Adds an actor's end of a connection, and its initial subflow.
    pub fn add_connection(
        &mut self,
        actor: &str,
        name: &str,
        family: Family,
        answer: &Fields,
    ) -> Result {
        let ends = ends_in(answer)?;
        let new = || Connection { family, ends: BTreeMap::new(), tokens: BTreeMap::new() };
        let connection = self.connections.entry(name.to_owned()).or_insert_with(new);
        connection.ends.insert(actor.to_owned(), ends);
        connection.tokens.remove(actor);
        let ends = seen_by(actor, ends);
        let initial = NamedSubflow { connection: name.to_owned(), ends, ids: BTreeMap::new() };
        self.subflows.insert(format!("{name}'s initial"), initial.clone());
        self.subflows.insert("initial".to_owned(), initial);
        Ok(())
    }

    /// Gives a name to a subflow that an actor's library has returned.
    pub fn add_subflow(
        &mut self,
        name: &str,
        actor: &str,
        connection: &str,
        answer: &Fields,
    ) -> Result {
        let ends = seen_by(actor, ends_in(answer)?);
        let ids = BTreeMap::from([(actor.to_owned(), answer.value("id")?)]);
        let subflow = NamedSubflow { connection: connection.to_owned(), ends, ids };
        self.subflows.insert(name.to_owned(), subflow);
        Ok(())
    }
}

/// Converts between the client's view of a subflow and an actor's. It is its own inverse.
fn seen_by(actor: &str, ends: Ends) -> Ends {
    if actor == "server" { mirrored(ends) } else { ends }
}
