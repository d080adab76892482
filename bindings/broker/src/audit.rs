//! One line for each act, to the journal or the standard error.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;

use subflows::broker::{Act, Peer};
use subflows::{Error, Result};

/// The line of an act.
pub(crate) struct Line(String);

impl Line {
    pub(crate) fn new<T>(peer: &Peer, act: &Act, token: u32, result: &Result<T>) -> Line {
        let Peer { uid, gid, pid, .. } = *peer;
        let verb = act.verb().name();
        let mut line = format!("{}broker: verb={verb} uid={uid} gid={gid} pid={pid}", level());
        if token != 0 {
            let _ = write!(line, " connection={token:08x}");
        }
        match act {
            Act::Create { local, remote, .. } => {
                let _ = write!(
                    line,
                    " local={} interface={} remote={remote}",
                    local.ip, local.interface
                );
            }
            Act::Announce { local, .. } => {
                let _ = write!(line, " local={}", local.ip);
            }
            Act::Destroy { local, remote, .. }
            | Act::Abort { local, remote, .. }
            | Act::SetBackup { local, remote, .. } => {
                let _ = write!(line, " local={local} remote={remote}");
            }
            _ => {}
        }
        let _ = match result.as_ref().err() {
            None => writeln!(line, " result=ok"),
            Some(error) => writeln!(line, " result={} errno={}", error.kind().name(), errno(error)),
        };
        Line(line)
    }

    pub(crate) fn write(&self) {
        // In one call, so that the lines of two workers do not mix. If it cannot be written, the act is done
        // all the same.
        let _ = std::io::stderr().write_all(self.0.as_bytes());
    }
}

fn errno(error: &Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

/// The level `info`, as the journal reads it.
fn level() -> &'static str {
    static LEVEL: OnceLock<&str> = OnceLock::new();
    LEVEL.get_or_init(|| if std::env::var_os("JOURNAL_STREAM").is_some() { "<6>" } else { "" })
}
