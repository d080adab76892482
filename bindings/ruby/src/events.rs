//! What happens to connections, as it happens.

use std::os::fd::AsRawFd;

use magnus::{Error, Module, RModule, Ruby, Value, method, prelude::*};

use crate::convert::Sock;
use crate::error::OrRaise;
use crate::handle::Handle;
use crate::record::Give;

/// A stream of events.
#[magnus::wrap(class = "Subflows::Events", free_immediately, size)]
pub(crate) struct Events(Handle<subflows::Events>);

pub(crate) fn events(ruby: &Ruby, sock: Sock) -> Result<Events, Error> {
    Ok(Events(Handle::new(subflows::events(&sock).or_raise(ruby)?)))
}

pub(crate) fn of_namespace(ruby: &Ruby) -> Result<Events, Error> {
    Ok(Events(Handle::new(subflows::Events::of_namespace().or_raise(ruby)?)))
}

impl Events {
    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        Ok(this.0.get(ruby)?.fd().as_raw_fd())
    }

    fn set_buffer(ruby: &Ruby, this: &Self, bytes: u32) -> Result<(), Error> {
        this.0.get(ruby)?.set_buffer(bytes);
        Ok(())
    }

    /// One that has come, or nil.
    fn try_next(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Error> {
        let taken = this.0.get(ruby)?.try_next().or_raise(ruby)?;
        taken.map(|event| event.give(ruby)).transpose()
    }

    fn release(ruby: &Ruby, this: &Self) -> Result<(), Error> {
        this.0.take(ruby).map(drop)
    }
}

pub(crate) fn define(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Events", ruby.class_object())?;
    class.undef_default_alloc_func();
    class.define_method("fileno", method!(Events::fileno, 0))?;
    class.define_method("set_buffer", method!(Events::set_buffer, 1))?;
    class.define_method("try_next", method!(Events::try_next, 0))?;
    class.define_private_method("release", method!(Events::release, 0))
}
