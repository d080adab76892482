//! Streams of events.

use std::os::fd::AsRawFd;

use magnus::{Error, Ruby, Value};

use crate::error::OrRaise;
use crate::handle::handle;
use crate::record::Give;

handle! {
    /// A stream of events.
    Events(subflows::Events) = "Subflows::Events" {
        fileno/0, set_buffer/1, try_next/0;
    }
}

pub(crate) fn of_namespace(ruby: &Ruby) -> Result<Events, Error> {
    subflows::Events::of_namespace().or_raise(ruby).map(Events::from)
}

impl Events {
    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        Ok(this.0.get(ruby)?.fd().as_raw_fd())
    }

    fn set_buffer(ruby: &Ruby, this: &Self, bytes: u32) -> Result<(), Error> {
        this.0.get(ruby)?.set_buffer(bytes);
        Ok(())
    }

    /// An event that has arrived, or nil.
    fn try_next(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Error> {
        let taken = this.0.get(ruby)?.try_next();
        taken.or_raise(ruby)?.map(|event| event.give(ruby)).transpose()
    }
}
