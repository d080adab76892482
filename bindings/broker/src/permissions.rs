//! Who may do what: the policy, a file in TOML; see PERMISSIONS.md.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use nix::unistd::{Group, User};
use serde::Deserialize;
use subflows::broker::{Act, Peer, Verb};

use crate::Failure;

/// The group whose members may use the broker, if there is no policy.
pub const GROUP: &str = "subflows";

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    allow: Vec<Rule>,
    limits: Limits,
}

/// One rule: these clients may do these acts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rule {
    users: Vec<Name>,
    groups: Vec<Name>,
    cgroups: Vec<String>,
    verbs: Vec<String>,
    local: Vec<Prefix>,
    interfaces: Vec<String>,
    remote: Vec<Prefix>,
}

/// A user or a group, by number or by name.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Name {
    Number(u32),
    Name(String),
}

/// Addresses: one, or all that begin with the same bits.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Prefix(IpNet);

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(text: String) -> Result<Prefix, String> {
        let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        net.map(Prefix).map_err(|_| format!("{text:?} is not an address or ADDRESS/LENGTH"))
    }
}

/// The bounds of one user.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests in a second.
    pub requests: u32,
    /// Sessions at a time, each of which has a worker.
    pub sessions: usize,
    /// Streams of events at a time.
    pub streams: usize,
    /// Subflows of a connection, up to which the broker opens further ones.
    pub subflows: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { requests: 2000, sessions: 64, streams: 1024, subflows: 64 }
    }
}

/// A rule with numbers instead of names.
#[derive(Debug, Default)]
struct Allowed {
    uids: BTreeSet<u32>,
    gids: BTreeSet<u32>,
    cgroups: Vec<String>,
    verbs: Vec<Verb>,
    local: Vec<Prefix>,
    interfaces: Vec<String>,
    remote: Vec<Prefix>,
}

/// Who may do what.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Allowed>,
    /// The bounds of each user.
    pub limits: Limits,
    /// Whether the file of the socket lets in root and the group only.
    pub is_usual: bool,
}

/// A client, and the rules that apply to it.
#[derive(Clone, Debug)]
pub struct Client {
    rules: Vec<usize>,
}

impl Policy {
    /// The policy without a file: root and the members of the group [`GROUP`] may do everything.
    pub fn usual() -> Policy {
        let gid = Group::from_name(GROUP).ok().flatten().map(|group| group.gid.as_raw());
        let rule = Allowed {
            uids: [0].into(),
            gids: gid.into_iter().collect(),
            verbs: Verb::ALL.to_vec(),
            ..Allowed::default()
        };
        Policy { rules: vec![rule], limits: Limits::default(), is_usual: true }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// With the line and the column.
    pub fn load(path: &Path) -> Result<Policy, Failure> {
        let text = fs::read_to_string(path).map_err(|error| {
            Failure::new(
                format!("policy {}: it cannot be read ({error})", path.display()),
                "Pass the path of the policy: --policy FILE.",
            )
        })?;
        Policy::parse(&text).map_err(|failure| {
            Failure::new(format!("policy {}: {}", path.display(), failure.what), failure.remedy)
        })
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(text: &str) -> Result<Policy, Failure> {
        let file: File = toml::from_str(text).map_err(|error| explain(text, &error))?;
        let rules = file.allow.into_iter().map(Rule::resolve).collect::<Result<_, _>>()?;
        Ok(Policy { rules, limits: file.limits, is_usual: false })
    }

    /// Finds the rules that apply to a client. `cgroup` is its control group, read only if a rule has one.
    pub fn client(&self, peer: &Peer, cgroup: impl Fn() -> Option<String>) -> Client {
        let is_member = |gids: &BTreeSet<u32>| {
            gids.contains(&peer.gid) || peer.groups.iter().any(|gid| gids.contains(gid))
        };
        let cgroup = self.has_cgroups().then(cgroup).flatten();
        let applies = |rule: &Allowed| {
            let is_anyone = rule.uids.is_empty() && rule.gids.is_empty();
            let is_inside = |outer: &String| {
                cgroup
                    .as_ref()
                    .and_then(|inner| inner.strip_prefix(outer.trim_end_matches('/')))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            (is_anyone || rule.uids.contains(&peer.uid) || is_member(&rule.gids))
                && (rule.cgroups.is_empty() || rule.cgroups.iter().any(is_inside))
        };
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| applies(rule));
        Client { rules: rules.map(|(index, _)| index).collect() }
    }

    /// Reports whether a rule names control groups, which are read from /proc when a client connects.
    pub(crate) fn has_cgroups(&self) -> bool {
        self.rules.iter().any(|rule| !rule.cgroups.is_empty())
    }

    /// Reports whether a client may do this act.
    pub fn permits(
        &self,
        client: &Client,
        act: &Act,
        interface: impl Fn(u32) -> Option<String>,
    ) -> bool {
        client.rules.iter().any(|index| self.rules[*index].permits(act, &interface))
    }
}

impl Allowed {
    fn permits(&self, act: &Act, interface: &impl Fn(u32) -> Option<String>) -> bool {
        let is_in = |prefixes: &[Prefix], ip: IpAddr| {
            let ip = ip.to_canonical();
            prefixes.is_empty() || prefixes.iter().any(|prefix| prefix.0.contains(&ip))
        };
        let is_sent_by = |index: u32| {
            self.interfaces.is_empty()
                || interface(index).is_some_and(|name| self.interfaces.contains(&name))
        };
        self.verbs.contains(&act.verb())
            && match act {
                Act::Create { local, remote, .. } => {
                    is_in(&self.local, local.ip)
                        && is_in(&self.remote, remote.ip())
                        && is_sent_by(local.interface)
                }
                Act::Announce { local, .. } => is_in(&self.local, local.ip),
                _ => true,
            }
    }
}

impl Rule {
    fn resolve(self) -> Result<Allowed, Failure> {
        let uid = |name: Name| match name {
            Name::Number(uid) => Ok(uid),
            Name::Name(name) => match User::from_name(&name) {
                Ok(Some(user)) => Ok(user.uid.as_raw()),
                _ => Err(unknown("user", &name, "getent passwd")),
            },
        };
        let gid = |name: Name| match name {
            Name::Number(gid) => Ok(gid),
            Name::Name(name) => match Group::from_name(&name) {
                Ok(Some(group)) => Ok(group.gid.as_raw()),
                _ => Err(unknown("group", &name, "getent group")),
            },
        };
        let verbs = if self.verbs.is_empty() {
            Verb::ALL.to_vec()
        } else {
            self.verbs.iter().map(|name| verb(name)).collect::<Result<_, _>>()?
        };
        Ok(Allowed {
            uids: self.users.into_iter().map(uid).collect::<Result<_, _>>()?,
            gids: self.groups.into_iter().map(gid).collect::<Result<_, _>>()?,
            cgroups: self.cgroups,
            verbs,
            local: self.local,
            interfaces: self.interfaces,
            remote: self.remote,
        })
    }
}

fn unknown(what: &str, name: &str, command: &str) -> Failure {
    Failure::new(format!("there is no {what} {name:?}"), format!("List them: {command}."))
}

fn verb(name: &str) -> Result<Verb, Failure> {
    Verb::ALL.iter().copied().find(|verb| verb.name() == name).ok_or_else(|| {
        let names: Vec<&str> = Verb::ALL.iter().map(|verb| verb.name()).collect();
        let nearest = nearest(name, &names).unwrap_or(names[0]);
        Failure::new(
            format!("{name:?} is not a verb"),
            format!("Write {nearest}, or one of: {}.", names.join(", ")),
        )
    })
}

/// Adds the nearest name to an error about an unknown one.
fn explain(text: &str, error: &toml::de::Error) -> Failure {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text[..at].matches('\n').count() + 1;
    let what = format!("line {line}: {}", error.message());
    let mut words = error.message().split('`').skip(1).step_by(2);
    let names: Vec<&str> = words.clone().skip(1).collect();
    let suggestion = words.next().and_then(|unknown| nearest(unknown, &names));
    let remedy = match suggestion {
        Some(name) => format!("Write {name}."),
        None => "See PERMISSIONS.md for the keys and their values.".to_owned(),
    };
    Failure::new(what, remedy)
}

fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let distance = |other: &&&str| strsim::damerau_levenshtein(name, other);
    names.iter().min_by_key(distance).copied()
}

#[cfg(test)]
#[path = "permissions_tests.rs"]
mod tests;
