//! Opening one more subflow: a wait whose steps Ruby takes.

use std::os::fd::{AsRawFd, OwnedFd};

use magnus::{Error, Ruby, Value};
use subflows::Open;

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::gvl::without_gvl;
use crate::handle::{handle, seconds_until};
use crate::record::Give;

handle! {
    /// A subflow that is being opened, on a duplicate: the caller may close its own socket.
    Opening(subflows::Opening<OwnedFd>) = "Subflows::Opening" {
        fileno/0, time_left/0, advance/0;
    }
}

impl Opening {
    pub(crate) fn begin(ruby: &Ruby, sock: &Sock, options: &Open) -> Result<Opening, Error> {
        let duplicate = sock.duplicate(ruby)?;
        let begun = without_gvl(|| subflows::Opening::begin(duplicate, options))?;
        begun.or_raise(ruby).map(Opening::from)
    }

    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        Ok(this.0.get(ruby)?.fd().or_raise(ruby)?.as_raw_fd())
    }

    fn time_left(ruby: &Ruby, this: &Self) -> Result<f64, Error> {
        Ok(seconds_until(this.0.get(ruby)?.deadline()))
    }

    /// The subflow, or nil if it is not usable yet.
    fn advance(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Error> {
        let done = this.0.get(ruby)?.advance().or_raise(ruby)?;
        done.map(|subflow| subflow.give(ruby)).transpose()
    }
}
