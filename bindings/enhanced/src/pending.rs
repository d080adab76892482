//! Subflows that are being opened, or will be as soon as the connection can have them.
//!
//! The patched kernels opened in the background, and took a request before the connection was ready. Here one
//! thread does it (`worker.rs`). It holds no descriptor of the program, so that a connection ends when the program
//! closes it.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use subflows::{ErrorKind, Events, Open, Opening, Result, Subflow};

use crate::held::Held;
use crate::layout::canonical;

/// A request that is not carried out yet.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) number: u64,
    pub(crate) held: Held,
    /// What was asked for.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    options: Open,
    stage: Stage,
    /// The subflow in the kernel, as it was last listed. An attempt may end and begin anew.
    pub(crate) subflow: Option<u32>,
}

#[derive(Debug)]
enum Stage {
    /// The connection is not ready. Its events report when it is, if this process may follow them.
    Kept(Option<Box<Events>>),
    Opening(Box<Opening<Held>>),
}

impl Pending {
    /// Begins to open a subflow, or keeps the request if the connection is not ready for it.
    pub(crate) fn begin(
        number: u64,
        held: Held,
        (local, remote): (SocketAddr, SocketAddr),
        options: Open,
    ) -> Result<Pending> {
        let stage = match Opening::begin(held, &options) {
            Ok(opening) => Stage::Opening(Box::new(opening)),
            Err(error) if error.kind() == ErrorKind::NotReady => {
                Stage::Kept(subflows::events(&held).ok().map(Box::new))
            }
            Err(error) => return Err(error),
        };
        Ok(Pending { number, held, local, remote, options, stage, subflow: None })
    }

    /// Reports whether a listed subflow is the one that is being opened here.
    pub(crate) fn is_of(&self, subflow: &Subflow) -> bool {
        let local = canonical(subflow.local);
        matches!(self.stage, Stage::Opening(_))
            && canonical(subflow.remote) == self.remote
            && (self.local.ip().is_unspecified() || local.ip() == self.local.ip())
            && (self.local.port() == 0 || local.port() == self.local.port())
    }

    /// Goes on as far as that is possible without waiting. Returns the result once there is one.
    pub(crate) fn step(&mut self) -> Option<Result<Subflow>> {
        if let Stage::Kept(events) = &mut self.stage {
            while let Some(Ok(Some(_))) = events.as_mut().map(|events| events.try_next()) {}
            match Opening::begin(self.held, &self.options) {
                Ok(opening) => self.stage = Stage::Opening(Box::new(opening)),
                Err(error) if error.kind() == ErrorKind::NotReady => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        let Stage::Opening(opening) = &mut self.stage else { return None };
        match opening.advance() {
            // It began while data was on its way, which did not make the connection ready.
            Err(error) if error.kind() == ErrorKind::NotReady => {
                self.stage = Stage::Kept(subflows::events(&self.held).ok().map(Box::new));
                None
            }
            result => result.transpose(),
        }
    }
    /// A duplicate of the descriptor that becomes readable when there is a step to take.
    pub(crate) fn fd(&mut self) -> Option<OwnedFd> {
        match &mut self.stage {
            Stage::Opening(opening) => opening.fd().ok()?.try_clone_to_owned().ok(),
            Stage::Kept(events) => events.as_ref()?.fd().try_clone_to_owned().ok(),
        }
    }
}
