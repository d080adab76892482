//! `subflows watch`

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use subflows::ErrorKind;

use crate::failure::Failure;
use crate::output::Output;
use crate::watch;

/// Watch the connections of this network namespace, their subflows and their rates
///
/// A live view for a terminal of 80 columns or more; wider ones show more. The chart at the end of a line shows
/// the rates so far, of both directions together. Keys: q quits, the arrows select, s sorts by another
/// column, r reverses the order. Programs use `connections --json` and `events --json`.
#[derive(Args, Debug)]
pub(crate) struct Watch {
    /// How often to read the connections, such as 1s or 500ms
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    interval: Duration,
}

/// More often would load the kernel without being seen.
const LEAST: Duration = Duration::from_millis(50);

fn interval(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(interval) if interval >= LEAST => Ok(interval),
        Ok(_) => Err("expected 50ms or more".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Watch {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        if out.is_json() || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
            let text = "watch: it is for terminals, and this is not one";
            let text = if out.is_json() { "watch: it prints no JSON" } else { text };
            return Err(Failure::new(ErrorKind::InvalidArgument, text)
                .remedy("Use `subflows connections --json`, or `subflows events --json`."));
        }
        watch::run(self.interval)
    }
}
