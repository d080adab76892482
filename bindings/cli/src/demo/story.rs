//! What happens to the connection, when, and how it is told.

use std::fmt;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use subflows::ErrorKind;
use subflows_lab::Net;

use super::history::History;
use super::{FIRST, NAMES, SECOND};
use crate::failure::Failure;
use crate::units;

/// How long to try to open the second subflow.
const PATIENCE: Duration = Duration::from_secs(5);

/// A step of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Connect,
    List,
    Open,
    Demote,
    Pull,
    Close,
    Finish,
}

impl Act {
    /// What comes after connecting and before the end, and which part of the data, in percent, has
    /// arrived then. So chosen that each phase takes a few seconds at its own rate.
    pub(super) const MIDDLE: [(Act, u64); 5] =
        [(Act::List, 12), (Act::Open, 26), (Act::Demote, 64), (Act::Pull, 75), (Act::Close, 85)];

    /// The label in the chart, where it has one: the list changes nothing.
    pub(super) fn mark(self) -> Option<String> {
        let (first, second) = (NAMES[FIRST], NAMES[SECOND]);
        match self {
            Act::Open => Some(format!("open {second}")),
            Act::Demote => Some(format!("{first} as backup")),
            Act::Pull => Some(format!("{first} cable pulled")),
            Act::Close => Some(format!("close {first}")),
            Act::Connect | Act::List | Act::Finish => None,
        }
    }

    /// What the time from this step to the next is called, where it is told apart.
    pub(super) fn phase(self) -> Option<String> {
        let (first, second) = (NAMES[FIRST], NAMES[SECOND]);
        match self {
            Act::Connect => Some(format!("{first} alone")),
            Act::Open => Some(format!("{first} and {second}")),
            Act::Demote => Some(format!("{first} is the backup")),
            Act::Pull => Some(format!("{first}'s cable is pulled")),
            Act::Close => Some(format!("{first} is closed")),
            Act::List | Act::Finish => None,
        }
    }
}

/// The name for programs.
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Act::Connect => "connect",
            Act::List => "list",
            Act::Open => "open",
            Act::Demote => "set_backup",
            Act::Pull => "pull_cable",
            Act::Close => "close",
            Act::Finish => "finish",
        })
    }
}

/// A step that was made.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) act: Act,
    pub(super) at: Duration,
    /// What was called, in the words of a program.
    pub(super) call: String,
    /// What that means, in one line.
    pub(super) told: String,
}

/// Makes one step of the middle. Call it from the client's namespace.
pub(super) fn make(
    act: Act,
    sock: &TcpStream,
    net: &Net,
    history: &History,
) -> Result<Step, Failure> {
    let at = history.now();
    let (first, second) = (NAMES[FIRST], NAMES[SECOND]);
    let (call, told) = match act {
        Act::List => {
            let told = match &subflows::list(sock)?[..] {
                [only] => format!(
                    "{}: {} → {}, {}",
                    only.id,
                    only.local,
                    only.remote,
                    units::microseconds(only.rtt_us.into())
                ),
                others => format!("{} subflows", others.len()),
            };
            ("list()".to_owned(), told)
        }
        Act::Open => {
            let begun = Instant::now();
            let options = subflows::Open::new().interface(second).timeout(PATIENCE);
            let opened = subflows::open(sock, &options)?;
            let took = units::duration(begun.elapsed());
            let told = format!("subflow {} joins in {took}: both wires fill", opened.id);
            (format!("open({second})"), told)
        }
        Act::Demote => {
            let id = first_id(history)?;
            subflows::set_backup(sock, id, true)?;
            let told = format!("{first} becomes the backup: its wire falls silent");
            (format!("set_backup({id}, yes)"), told)
        }
        Act::Pull => {
            let failed = |error| Failure::system("cannot pull the cable", &error);
            net.paths[FIRST].pull_cable().map_err(failed)?;
            ("pull the cable".to_owned(), format!("{first} is unplugged: nobody notices"))
        }
        Act::Close => {
            let id = first_id(history)?;
            subflows::close(sock, id)?;
            let told = format!("{first} is gone; the connection goes on by {second}");
            (format!("close({id})"), told)
        }
        Act::Connect | Act::Finish => unreachable!("not in the middle"),
    };
    Ok(Step { act, at, call, told })
}

fn first_id(history: &History) -> Result<u32, Failure> {
    let track = history.on_path(FIRST).filter(|track| track.closed.is_none());
    track.map(|track| track.subflow.id).ok_or_else(|| {
        Failure::new(ErrorKind::NoSuchSubflow, format!("the subflow by {} is gone", NAMES[FIRST]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_has_an_order() {
        let times = Act::MIDDLE.map(|(_, percent)| percent);
        assert!(times.is_sorted() && times.iter().all(|percent| (1..95).contains(percent)));
    }
}
