//! Opening one more subflow: a wait whose steps Ruby takes.

use std::os::fd::{AsRawFd, OwnedFd};

use magnus::{Error, Ruby, Value};
use subflows::Open;

use crate::error::{OrRaise, closed_during};
use crate::gvl::without_gvl;
use crate::handle::{handle, seconds_until};
use crate::record::Give;
use crate::sock::Sock;

/// An opening on a duplicate, and the number of the caller's socket: the duplicate must not keep the
/// connection open when another thread closes that.
pub(crate) struct Begun {
    opening: subflows::Opening<OwnedFd>,
    sock: Sock,
}

handle! {
    /// A subflow that is being opened.
    Opening(Begun) = "Subflows::Opening" {
        fileno/0, time_left/0, advance/0;
    }
}

impl Opening {
    pub(crate) fn begin(ruby: &Ruby, sock: &Sock, options: &Open) -> Result<Opening, Error> {
        let duplicate = sock.duplicate(ruby)?;
        let begun = without_gvl(|| subflows::Opening::begin(duplicate, options))?;
        let opening = begun.or_raise(ruby)?;
        Ok(Opening::from(Begun { opening, sock: *sock }))
    }

    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        let fd = this.0.get(ruby)?.opening.fd().map(|fd| fd.as_raw_fd());
        fd.or_raise(ruby)
    }

    fn time_left(ruby: &Ruby, this: &Self) -> Result<f64, Error> {
        Ok(seconds_until(this.0.get(ruby)?.opening.deadline()))
    }

    /// The subflow, or nil if it is not usable yet.
    fn advance(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Error> {
        let is_open = {
            let begun = this.0.get(ruby)?;
            begun.sock.is_still(begun.opening.socket())
        };
        if !is_open {
            drop(this.0.take(ruby)?);
            return Err(closed_during(ruby, "open"));
        }
        let step = this.0.get(ruby)?.opening.advance();
        step.or_raise(ruby)?.map(|subflow| subflow.give(ruby)).transpose()
    }
}
