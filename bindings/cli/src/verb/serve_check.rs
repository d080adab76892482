//! `subflows serve-check`

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use subflows::{Listen, address_text};

use crate::check::{self, Rules};
use crate::failure::Failure;
use crate::output::{Output, note};
use crate::stop::Stop;

/// Serve a page that shows each client whether its connection uses Multipath TCP
///
/// The answer shows what this server sees of the connection: Multipath TCP or not, the subflows, and their
/// addresses. It is text for curl, JSON for `Accept: application/json`, and a page for browsers. HTTP/1.1
/// without TLS; `/` is the only path. Prints a line for each answer, until Ctrl-C. Requires no privilege for
/// ports above 1023.
#[derive(Args, Debug)]
pub(crate) struct ServeCheck {
    /// The address and the port to listen on; port 0 chooses a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "[::]:8080")]
    listen: SocketAddr,
    /// How many clients are served at the same time; if there are more, the oldest is dropped
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    max_clients: u16,
    /// How long a client may take, such as 10s
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// How long to wait for a second subflow before the answer, such as 300ms; 0s does not wait
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = humantime::parse_duration)]
    wait: Duration,
}

impl ServeCheck {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let failed = |what: &'static str| move |error| Failure::system(what, &error);
        let stop = Stop::new().map_err(failed("serve-check: no signal handler"))?;
        let listener = subflows::listen(self.listen, &Listen::new())?;
        let address = listener.local_addr().map_err(failed("serve-check: no address"))?;
        note(format_args!("serving http://{}/", address_text::written(address)));
        let rules =
            Rules { clients: self.max_clients.into(), timeout: self.timeout, wait: self.wait };
        let served = check::serve(&listener, &stop, rules, |seen| {
            if out.is_json() { out.object(&seen.json()) } else { out.line(seen.line()) }
        });
        Ok(served?)
    }
}
