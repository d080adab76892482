//! Further paths of a connection that this process makes: each is opened as soon as the connection can have it.

use std::net::{IpAddr, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use subflows::{Error, ErrorKind, Open, Opening, Result, State, address_text};

/// A path to open: by an interface or from a local address.
#[derive(Clone, Debug)]
pub(crate) struct Via {
    name: String,
    options: Open,
}

impl Via {
    /// Reads the name of an interface, or a local address.
    pub(crate) fn parse(text: &str) -> std::result::Result<Via, String> {
        let options = match address_text::ip(text) {
            Some((ip, 0)) => Open::new().local(ip),
            Some((ip, _)) => {
                let scope = text.rsplit_once('%').map_or("", |(_, scope)| scope);
                Open::new().local(ip).interface(scope)
            }
            None if text.is_empty() || text.parse::<IpAddr>().is_ok() => {
                return Err("expected an interface or a local address".to_owned());
            }
            None => Open::new().interface(text),
        };
        Ok(Via { name: text.to_owned(), options })
    }

    /// Reads a local address.
    pub(crate) fn parse_address(text: &str) -> std::result::Result<Via, String> {
        let is_address = address_text::ip(text).is_some();
        if is_address { Via::parse(text) } else { Err("expected a local address".to_owned()) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn into_backup(mut self) -> Via {
        self.options.backup = true;
        self
    }
}

/// The paths that are still to be opened.
#[derive(Debug)]
pub(crate) struct Paths {
    sock: Arc<TcpStream>,
    pending: Vec<(Via, Option<Opening<Arc<TcpStream>>>)>,
}

impl Paths {
    pub(crate) fn new(sock: Arc<TcpStream>, wanted: impl IntoIterator<Item = Via>) -> Paths {
        Paths { sock, pending: wanted.into_iter().map(|via| (via, None)).collect() }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.pending.is_empty()
    }

    /// Goes on with each path, without waiting. Calls `report` for one that cannot be opened: the connection goes on
    /// without it.
    pub(crate) fn advance(&mut self, report: impl Fn(&Via, &Error)) {
        let sock = &self.sock;
        self.pending.retain_mut(|(via, opening)| match step(sock, via, opening) {
            Ok(is_done) => !is_done,
            Err(error) => {
                report(via, &error);
                false
            }
        });
    }

    /// What to poll for readability before the next step.
    pub(crate) fn fds(&mut self) -> Vec<BorrowedFd<'_>> {
        let openings = self.pending.iter_mut().filter_map(|(_, opening)| opening.as_mut());
        openings.filter_map(|opening| opening.fd().ok()).collect()
    }

    /// When the next step is due, if nothing can be polled before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let openings = self.pending.iter().filter_map(|(_, opening)| opening.as_ref());
        openings.map(Opening::deadline).min()
    }

    /// Reports whether a path waits for the connection to be ready, which nothing can be polled for.
    pub(crate) fn is_early(&self) -> bool {
        self.pending.iter().any(|(_, opening)| opening.is_none())
    }
}

/// Returns whether the path is open.
fn step(
    sock: &Arc<TcpStream>,
    via: &Via,
    opening: &mut Option<Opening<Arc<TcpStream>>>,
) -> Result<bool> {
    let begun = match opening {
        Some(begun) => begun,
        None => match Opening::begin(sock.clone(), &via.options) {
            Ok(begun) => opening.insert(begun),
            Err(error) if is_early(sock, &error) => return Ok(false),
            Err(error) => return Err(error),
        },
    };
    match begun.advance() {
        Ok(subflow) => Ok(subflow.is_some()),
        // It began while the connection was still being made, and no data has been sent since.
        Err(error) if is_early(sock, &error) => {
            *opening = None;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Whether the connection may be ready later. One that is still being made has no token.
fn is_early(sock: &TcpStream, error: &Error) -> bool {
    let is_connecting = || subflows::status(sock).is_ok_and(|now| now.state == State::Connecting);
    match error.kind() {
        ErrorKind::NotReady => true,
        ErrorKind::NotConnected | ErrorKind::InvalidState => is_connecting(),
        _ => false,
    }
}
