//! Probing an address: a wait whose steps Ruby takes.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use magnus::{Error, Ruby, Value};
use subflows::Probe;

use crate::error::OrRaise;
use crate::gvl::without_gvl;
use crate::handle::{handle, seconds_until};
use crate::record::Give;

handle! {
    /// A probe that is under way.
    Probing(subflows::Probing) = "Subflows::Probing" {
        fileno/0, time_left/0, advance/0;
    }
}

impl Probing {
    pub(crate) fn begin(
        ruby: &Ruby,
        address: SocketAddr,
        options: &Probe,
    ) -> Result<Probing, Error> {
        let begun = without_gvl(|| subflows::Probing::begin(address, options))?;
        begun.or_raise(ruby).map(Probing::from)
    }

    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        Ok(this.0.get(ruby)?.fd().as_raw_fd())
    }

    fn time_left(ruby: &Ruby, this: &Self) -> Result<f64, Error> {
        Ok(seconds_until(this.0.get(ruby)?.deadline()))
    }

    /// The report, or nil if the probe has not ended yet.
    fn advance(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Error> {
        let step = this.0.get(ruby)?.advance();
        step.or_raise(ruby)?.map(|report| report.give(ruby)).transpose()
    }
}
