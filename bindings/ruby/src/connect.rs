//! Connecting: a wait whose steps Ruby takes.

use std::os::fd::AsRawFd;

use magnus::{Error, Ruby, Value};
use subflows::Connect;

use crate::address::Remotes;
use crate::error::OrRaise;
use crate::gvl::without_gvl;
use crate::handle::{handle, seconds_until};
use crate::socket::ruby_socket;

handle! {
    /// A pending connection.
    Connecting(subflows::Connecting) = "Subflows::Connecting" {
        fileno/0, time_left/0, advance/0;
    }
}

impl Connecting {
    pub(crate) fn begin(
        ruby: &Ruby,
        remotes: &Remotes,
        options: &Connect,
    ) -> Result<Connecting, Error> {
        let begun = without_gvl(|| subflows::Connecting::begin(&remotes.0, options))?;
        begun.or_raise(ruby).map(Connecting::from)
    }

    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        Ok(this.0.get(ruby)?.fd().as_raw_fd())
    }

    fn time_left(ruby: &Ruby, this: &Self) -> Result<Option<f64>, Error> {
        Ok(this.0.get(ruby)?.deadline().map(seconds_until))
    }

    /// The connected socket, or nil if it is not connected yet.
    fn advance(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Error> {
        let step = this.0.get(ruby)?.advance();
        if !step.or_raise(ruby)? {
            return Ok(None);
        }
        let Some(connecting) = this.0.take(ruby)? else { return Ok(None) };
        let stream = connecting.finish().or_raise(ruby)?;
        ruby_socket(ruby, "TCPSocket", stream.into()).map(Some)
    }
}
