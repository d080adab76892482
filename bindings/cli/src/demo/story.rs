//! The steps of the demonstration.

use std::fmt;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use subflows::ErrorKind;
use subflows_lab::Net;

use super::history::History;
use super::{FIRST, NAMES, SECOND};
use crate::failure::Failure;
use crate::units;

/// The timeout of the second subflow.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a step does.
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
    /// The steps between connecting and the end, each with the part of the data that has arrived by
    /// then, in percent. Each phase takes a few seconds at its own rate.
    pub(super) const MIDDLE: [(Act, u64); 5] =
        [(Act::List, 12), (Act::Open, 26), (Act::Demote, 64), (Act::Pull, 75), (Act::Close, 85)];

    /// The label in the chart. The list has none, because it changes nothing.
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

    /// The name of the time from this step to the next, if the report has a row for it.
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

/// A step that was taken.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) act: Act,
    pub(super) at: Duration,
    /// The call, as in a program.
    pub(super) call: String,
    /// The result, in one line.
    pub(super) text: String,
}

/// Takes one of the steps of `MIDDLE`. Call it in the client's namespace.
pub(super) fn make(
    act: Act,
    sock: &TcpStream,
    net: &Net,
    history: &History,
) -> Result<Step, Failure> {
    let at = history.now();
    let (first, second) = (NAMES[FIRST], NAMES[SECOND]);
    let (call, text) = match act {
        Act::List => {
            let text = match &subflows::list(sock)?[..] {
                [only] => format!(
                    "{}: {} → {}, {}",
                    only.id,
                    only.local,
                    only.remote,
                    units::microseconds(only.rtt_us.into())
                ),
                others => format!("{} subflows", others.len()),
            };
            ("list()".to_owned(), text)
        }
        Act::Open => {
            let begun = Instant::now();
            let options = subflows::Open::new().interface(second).timeout(OPEN_TIMEOUT);
            let opened = subflows::open(sock, &options)?;
            let took = units::duration(begun.elapsed());
            let text = format!("subflow {} joined in {took}: both wires in use", opened.id);
            (format!("open({second})"), text)
        }
        Act::Demote => {
            let id = first_id(history)?;
            subflows::set_backup(sock, id, true)?;
            let text = format!("{first} is the backup: its wire is idle");
            (format!("set_backup({id}, yes)"), text)
        }
        Act::Pull => {
            let failed = |error| Failure::system("cannot pull the cable", &error);
            net.paths[FIRST].pull_cable().map_err(failed)?;
            ("pull the cable".to_owned(), format!("{first} is unplugged: the transfer goes on"))
        }
        Act::Close => {
            let id = first_id(history)?;
            subflows::close(sock, id)?;
            let text = format!("{first} is closed: the connection goes on over {second}");
            (format!("close({id})"), text)
        }
        Act::Connect | Act::Finish => unreachable!("not in MIDDLE"),
    };
    Ok(Step { act, at, call, text })
}

fn first_id(history: &History) -> Result<u32, Failure> {
    let track = history.on_path(FIRST).filter(|track| track.closed.is_none());
    track.map(|track| track.subflow.id).ok_or_else(|| {
        Failure::new(
            ErrorKind::NoSuchSubflow,
            format!("the subflow over {} is closed", NAMES[FIRST]),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_in_order() {
        let times = Act::MIDDLE.map(|(_, percent)| percent);
        assert!(times.is_sorted() && times.iter().all(|percent| (1..95).contains(percent)));
    }
}
