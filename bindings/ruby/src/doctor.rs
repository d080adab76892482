//! Examining why there is no second subflow: a wait whose steps Ruby takes.

use std::os::fd::AsRawFd;

use magnus::{Error, Ruby, Value};
use subflows::Doctor;

use crate::error::OrRaise;
use crate::gvl::without_gvl;
use crate::handle::{handle, seconds_until};
use crate::record::Give;

handle! {
    /// An examination that is under way.
    Examining(subflows::Examining) = "Subflows::Examining" {
        fileno/0, time_left/0, advance/0;
    }
}

impl Examining {
    pub(crate) fn begin(ruby: &Ruby, options: &Doctor) -> Result<Examining, Error> {
        let begun = without_gvl(|| subflows::Examining::begin(options))?;
        begun.or_raise(ruby).map(Examining::from)
    }

    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        Ok(this.0.get(ruby)?.fd().as_raw_fd())
    }

    fn time_left(ruby: &Ruby, this: &Self) -> Result<f64, Error> {
        Ok(seconds_until(this.0.get(ruby)?.deadline()))
    }

    /// The findings, or nil if the examination has not ended yet.
    fn advance(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Error> {
        let step = this.0.get(ruby)?.advance();
        step.or_raise(ruby)?.map(|found| found.give(ruby)).transpose()
    }
}
