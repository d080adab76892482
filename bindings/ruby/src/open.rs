//! Opening one more subflow: a wait, whose steps Ruby takes.

use std::os::fd::{AsRawFd, OwnedFd};

use magnus::{Error, Module, RModule, Ruby, Value, method, prelude::*};
use subflows::Open;

use crate::convert::{Address, Ip, Seconds, Sock};
use crate::error::OrRaise;
use crate::gvl::without_gvl;
use crate::handle::{Handle, seconds_until};
use crate::record::Give;

/// A subflow that is being opened, on a duplicate: the caller may close its own.
#[magnus::wrap(class = "Subflows::Opening", free_immediately, size)]
pub(crate) struct Opening(Handle<subflows::Opening<OwnedFd>>);

#[allow(clippy::too_many_arguments)]
pub(crate) fn begin(
    ruby: &Ruby,
    sock: Sock,
    local: Option<Ip>,
    interface: Option<String>,
    remote: Option<Address>,
    local_port: u16,
    backup: bool,
    timeout: Seconds,
    unbound: bool,
) -> Result<Opening, Error> {
    let mut options = Open::new().local_port(local_port).backup(backup).unbound(unbound);
    options.local = local.map(|local| local.0);
    options.interface = interface;
    options.remote = remote.map(|remote| remote.0);
    options.timeout = timeout.0;
    let sock = sock.duplicate(ruby)?;
    let begun = without_gvl(|| subflows::Opening::begin(sock, &options))?;
    Ok(Opening(Handle::new(begun.or_raise(ruby)?)))
}

impl Opening {
    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        Ok(this.0.get(ruby)?.fd().or_raise(ruby)?.as_raw_fd())
    }

    fn time_left(ruby: &Ruby, this: &Self) -> Result<f64, Error> {
        Ok(seconds_until(this.0.get(ruby)?.deadline()))
    }

    /// The subflow, or nil while it is not usable.
    fn advance(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Error> {
        let done = this.0.get(ruby)?.advance().or_raise(ruby)?;
        done.map(|subflow| subflow.give(ruby)).transpose()
    }

    fn release(ruby: &Ruby, this: &Self) -> Result<(), Error> {
        this.0.take(ruby).map(drop)
    }
}

pub(crate) fn define(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Opening", ruby.class_object())?;
    class.undef_default_alloc_func();
    class.define_method("fileno", method!(Opening::fileno, 0))?;
    class.define_method("time_left", method!(Opening::time_left, 0))?;
    class.define_method("advance", method!(Opening::advance, 0))?;
    class.define_private_method("release", method!(Opening::release, 0))
}
