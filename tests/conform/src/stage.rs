//! Where a scenario is played: a network, a driver for each actor, and what has names.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use subflows_lab::{DropSegments, Namespace, Net, Path, StripMptcp};
use tempfile::TempDir;

use crate::borrow;
use crate::driver::Driver;
use crate::judge;
use crate::language::Language;
use crate::place::{Ends, Family, canonical, mirrored};
use crate::protocol::{Answer, Fields, Request};
use crate::sentence::Words;
use crate::trouble::{Result, Trouble, failed};

/// Nobody, who owns nothing and may do nothing.
const NOBODY: u32 = 65_534;

/// Something that listens.
#[derive(Clone, Debug)]
pub struct Door {
    /// To what others connect.
    pub address: SocketAddr,
    /// What they then have.
    pub family: Family,
}

/// A connection, as each actor sees its ends.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its addresses.
    pub family: Family,
    /// By actor.
    pub ends: BTreeMap<String, Ends>,
}

/// A subflow that has a name.
#[derive(Clone, Debug)]
pub struct Known {
    /// The connection.
    pub link: String,
    /// As the client sees it.
    pub ends: Ends,
    /// What each actor's library calls it.
    pub ids: BTreeMap<String, u32>,
}

/// Something in a wire that can be stopped.
#[derive(Clone, Debug)]
pub enum Meddler {
    /// Drops segments.
    Drop(DropSegments),
    /// Strips options.
    Strip(StripMptcp),
}

/// Everything that one variant of a scenario has.
#[derive(Debug)]
pub struct Stage {
    language: Language,
    net: Option<Net>,
    elsewhere: Option<Namespace>,
    cast: BTreeMap<String, Driver>,
    copies: Option<TempDir>,
    /// Connections.
    pub links: BTreeMap<String, Link>,
    /// Listeners.
    pub doors: HashMap<String, Door>,
    /// Subflows.
    pub known: HashMap<String, Known>,
    /// Sockets that have no connection yet.
    pub made: HashMap<String, Family>,
    /// Events, and what else was told and has a name.
    pub told: HashMap<String, Fields>,
    /// Middleboxes, by the place of their path.
    pub meddlers: Vec<(usize, Meddler)>,
    /// The connection in which an actor pours, and the actor.
    pub pouring: Option<(String, String)>,
    /// The rate of each path, in bits per second.
    pub rate: Option<u64>,
    /// What was begun and not yet answered: by actor, the connection.
    pub begun: HashMap<String, String>,
    /// Whether the actor's child is asked, and not the actor.
    pub is_child: bool,
    /// What was asked last, and what came.
    pub last: Option<(String, String)>,
}

impl Stage {
    /// An empty one.
    pub fn new(language: &Language) -> Stage {
        Stage {
            language: language.clone(),
            net: None,
            elsewhere: None,
            cast: BTreeMap::new(),
            copies: None,
            links: BTreeMap::new(),
            doors: HashMap::new(),
            known: HashMap::new(),
            made: HashMap::new(),
            told: HashMap::new(),
            meddlers: Vec::new(),
            pouring: None,
            rate: None,
            begun: HashMap::new(),
            is_child: false,
            last: None,
        }
    }

    /// Sets the network up.
    pub fn set(&mut self, net: Net) -> Result {
        if self.has_control_anyway() {
            net.client.set_sysctl("net.mptcp.path_manager", "userspace")?;
        }
        self.net = Some(net);
        Ok(())
    }

    /// Whether every connection is the program's from the beginning, because none can take control.
    pub fn has_control_anyway(&self) -> bool {
        self.language.cannot_take_control()
    }

    /// The network.
    pub fn net(&self) -> Result<&Net> {
        self.net.as_ref().ok_or_else(|| Trouble::Failed("say which network first".to_owned()))
    }

    /// A path, counted from 1.
    pub fn path(&self, number: usize) -> Result<&Path> {
        let path = number.checked_sub(1).and_then(|place| self.net.as_ref()?.paths.get(place));
        path.ok_or_else(|| Trouble::Failed(format!("there is no path {number}")))
    }

    /// Where an actor is.
    pub fn namespace(&self, actor: &str) -> Result<&Namespace> {
        match actor {
            "client" | "nobody" => Ok(&self.net()?.client),
            "server" => Ok(&self.net()?.server),
            "stranger" => match &self.elsewhere {
                Some(elsewhere) => Ok(elsewhere),
                None => failed("nothing was given to the stranger"),
            },
            _ => failed(format!("nobody is called {actor}")),
        }
    }

    /// Asks an actor's driver, or a child of it.
    pub fn ask(&mut self, actor: &str, request: Request) -> Result<(Answer, Duration)> {
        let request = if self.is_child { request.in_child() } else { request };
        let asked = format!("{actor}: {request}");
        self.last = Some((asked.clone(), String::new()));
        let (answer, elapsed) = self.driver(actor)?.ask(&request)?;
        self.last = Some((asked, format!("{answer} ({} ms)", elapsed.as_millis())));
        Ok((answer, elapsed))
    }

    /// Asks for what must work, and gives what was found out.
    pub fn done(&mut self, actor: &str, request: Request) -> Result<Fields> {
        self.ask(actor, request)?.0.done()
    }

    /// Asks, and holds what comes against what is expected; gives what was found out, unless an
    /// error was expected.
    pub fn request(
        &mut self,
        actor: &str,
        request: Request,
        words: &Words,
    ) -> Result<Option<Fields>> {
        let (answer, _) = self.ask(actor, request)?;
        expect(answer, words)
    }

    /// Asks, and leaves the answer for later.
    pub fn begin(&mut self, actor: &str, request: &Request, link: &str) -> Result {
        self.last = Some((format!("{actor}: {request}"), String::new()));
        self.driver(actor)?.begin(request)?;
        self.begun.insert(actor.to_owned(), link.to_owned());
        Ok(())
    }

    /// The driver of an actor, which starts with its first request.
    pub fn driver(&mut self, actor: &str) -> Result<&mut Driver> {
        if !self.cast.contains_key(actor) {
            if !["client", "server"].contains(&actor) {
                return failed(format!("nothing was given to {actor}"));
            }
            let driver = Driver::start(self.language.command(), self.namespace(actor)?)?;
            self.cast.insert(actor.to_owned(), driver);
        }
        Ok(self.cast.get_mut(actor).expect("it was just put there"))
    }

    /// Ends every driver.
    pub fn finish(&mut self) -> Result {
        std::mem::take(&mut self.cast).into_values().try_for_each(Driver::finish)
    }

    /// Starts an actor who has nothing but the client's connection: somebody without rights, or
    /// somebody in another network namespace.
    pub fn give(&mut self, link: &str, actor: &str) -> Result {
        let sock = self.borrow(link)?;
        let mut command = if actor == "nobody" {
            if !borrow::has_user(NOBODY) {
                return Err(Trouble::Skipped("there is no other user here".to_owned()));
            }
            self.language.command_as(NOBODY, self.copies.insert(TempDir::new()?))?
        } else {
            self.elsewhere = Some(Namespace::new()?);
            self.language.command()
        };
        borrow::inherit(&mut command, sock)?;
        let driver = Driver::start(command, self.namespace(actor)?)?;
        self.cast.insert(actor.to_owned(), driver);
        let adopt = Request::new("adopt").with("name", link).with("fd", borrow::NUMBER);
        self.done(actor, adopt)?;
        let ends = self.ends("client", link)?;
        let seen = self.link_mut(link)?;
        seen.ends.insert(actor.to_owned(), ends);
        Ok(())
    }

    /// A copy of the descriptor by which the client's driver holds a connection.
    fn borrow(&mut self, link: &str) -> Result<OwnedFd> {
        let ends = self.ends("client", link)?;
        let pid = self.driver("client")?.pid();
        let namespace = self.namespace("client")?;
        Ok(borrow::socket(namespace, pid, ends)?)
    }

    /// Keeps what an actor has connected or accepted.
    pub fn keep(&mut self, actor: &str, name: &str, family: Family, told: &Fields) -> Result {
        let ends = (canonical(told.value("local")?), canonical(told.value("remote")?));
        let fresh = || Link { family, ends: BTreeMap::new() };
        let link = self.links.entry(name.to_owned()).or_insert_with(fresh);
        link.ends.insert(actor.to_owned(), ends);
        let client = if actor == "server" { mirrored(ends) } else { ends };
        let initial = Known { link: name.to_owned(), ends: client, ids: BTreeMap::new() };
        self.known.insert(format!("{name}'s initial"), initial.clone());
        self.known.insert("initial".to_owned(), initial);
        Ok(())
    }

    /// A connection by its name.
    pub fn link(&self, name: &str) -> Result<&Link> {
        let found = self.links.get(name);
        found.ok_or_else(|| Trouble::Failed(format!("no connection is called {name}")))
    }

    fn link_mut(&mut self, name: &str) -> Result<&mut Link> {
        let found = self.links.get_mut(name);
        found.ok_or_else(|| Trouble::Failed(format!("no connection is called {name}")))
    }

    /// The family of a socket: that of its connection; IPv4 where it has none.
    pub fn family(&self, sock: &str) -> Family {
        let door = self.doors.get(sock).map(|door| door.family);
        let made = self.made.get(sock).copied();
        self.links.get(sock).map(|link| link.family).or(door).or(made).unwrap_or(Family::V4)
    }

    /// The ends of a connection, as an actor sees them.
    pub fn ends(&self, actor: &str, link: &str) -> Result<Ends> {
        let ends = self.link(link)?.ends.get(actor).copied();
        ends.ok_or_else(|| Trouble::Failed(format!("{actor} has no connection called {link}")))
    }

    /// The token by which ss knows a connection at an actor's end.
    pub fn token(&self, actor: &str, link: &str) -> Result<u32> {
        let ends = self.ends(actor, link)?;
        let token = judge::token(self.namespace(actor)?, ends);
        token.ok_or_else(|| Trouble::Failed(format!("ss -M shows no connection {ends:?}")))
    }

    /// A subflow by its name.
    pub fn subflow(&self, name: &str) -> Result<&Known> {
        let found = self.known.get(name);
        found.ok_or_else(|| Trouble::Failed(format!("no subflow is called {name}")))
    }

    /// A subflow as an actor sees it.
    pub fn seen(&self, actor: &str, name: &str) -> Result<Ends> {
        let ends = self.subflow(name)?.ends;
        Ok(if actor == "server" { mirrored(ends) } else { ends })
    }

    /// What an actor's library calls a subflow: it is asked once, and remembered.
    pub fn id(&mut self, actor: &str, name: &str) -> Result<u32> {
        let known = self.subflow(name)?;
        if let Some(id) = known.ids.get(actor) {
            return Ok(*id);
        }
        let (link, ends) = (known.link.clone(), self.seen(actor, name)?);
        for listed in self.listed(actor, &link)? {
            if ends_of(&listed)? == ends {
                let id = listed.value("id")?;
                self.known.get_mut(name).map(|known| known.ids.insert(actor.to_owned(), id));
                return Ok(id);
            }
        }
        failed(format!("{actor}'s list does not have {name}"))
    }

    /// The subflows that an actor's library lists.
    pub fn listed(&mut self, actor: &str, sock: &str) -> Result<Vec<Fields>> {
        self.done(actor, Request::new("list").with("sock", sock))?.list()
    }

    /// Gives a subflow a name.
    pub fn name(&mut self, name: &str, actor: &str, link: &str, told: &Fields) -> Result {
        let seen = ends_of(told)?;
        let ends = if actor == "server" { mirrored(seen) } else { seen };
        let ids = BTreeMap::from([(actor.to_owned(), told.value("id")?)]);
        self.known.insert(name.to_owned(), Known { link: link.to_owned(), ends, ids });
        Ok(())
    }

    /// What the drivers complained of, for people.
    pub fn complaints(&mut self) -> String {
        let each = self.cast.iter_mut().filter_map(|(actor, driver)| {
            let text = driver.complaints();
            (!text.is_empty()).then(|| format!("\n{actor}'s driver said:{text}"))
        });
        each.collect()
    }
}

/// The ends of a listed subflow.
pub fn ends_of(told: &Fields) -> Result<Ends> {
    Ok((canonical(told.value("local")?), canonical(told.value("remote")?)))
}

/// Holds an answer against what is expected.
pub fn expect(answer: Answer, words: &Words) -> Result<Option<Fields>> {
    match (answer, words.kind()) {
        (Answer::Err(kind, _), Some(expected)) if kind == expected => Ok(None),
        (answer, Some(expected)) => failed(format!("not {expected}, but: {answer}")),
        (answer, None) => {
            let fields = answer.done()?;
            for (name, expected) in words.fields() {
                let told = fields.get(name).unwrap_or("absent");
                if told != expected {
                    return failed(format!("{name} is not {expected} in: {fields}"));
                }
            }
            Ok(Some(fields))
        }
    }
}
