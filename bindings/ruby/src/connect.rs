//! Making sockets: a new one, or one that is being connected.

use std::os::fd::AsRawFd;

use magnus::{Error, Module, RArray, RModule, Ruby, Value, method, prelude::*};
use subflows::{Connect, Family};

use crate::convert::{Address, Seconds, ruby_socket};
use crate::error::{OrRaise, argument_error};
use crate::gvl::without_gvl;
use crate::handle::{Handle, seconds_until};

pub(crate) fn socket(ruby: &Ruby, family: i32) -> Result<Value, Error> {
    let family = match family {
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        other => return Err(argument_error(ruby, format!("{other} is no family of addresses"))),
    };
    ruby_socket(ruby, "Socket", subflows::socket(family).or_raise(ruby)?)
}

/// A connection that is being made: a wait, whose steps Ruby takes.
#[magnus::wrap(class = "Subflows::Connecting", free_immediately, size)]
pub(crate) struct Connecting(Handle<subflows::Connecting>);

pub(crate) fn begin(
    ruby: &Ruby,
    remotes: RArray,
    local: Option<Address>,
    interface: Option<String>,
    timeout: Option<Seconds>,
    control: bool,
) -> Result<Connecting, Error> {
    let mut options = Connect::new().control(control);
    options.local = local.map(|local| local.0);
    options.interface = interface;
    options.timeout = timeout.map(|timeout| timeout.0);
    let address = |remote| Address::try_convert(remote).map(|remote| remote.0);
    let remotes = remotes.into_iter().map(address).collect::<Result<Vec<_>, _>>()?;
    let begun = without_gvl(|| subflows::Connecting::begin(&remotes, &options))?;
    Ok(Connecting(Handle::new(begun.or_raise(ruby)?)))
}

impl Connecting {
    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        Ok(this.0.get(ruby)?.fd().as_raw_fd())
    }

    fn time_left(ruby: &Ruby, this: &Self) -> Result<Option<f64>, Error> {
        Ok(this.0.get(ruby)?.deadline().map(seconds_until))
    }

    /// The connected socket, or nil while it is not.
    fn advance(ruby: &Ruby, this: &Self) -> Result<Option<Value>, Error> {
        if !this.0.get(ruby)?.advance().or_raise(ruby)? {
            return Ok(None);
        }
        let Some(connecting) = this.0.take(ruby)? else { return Ok(None) };
        let stream = connecting.finish().or_raise(ruby)?;
        ruby_socket(ruby, "TCPSocket", stream.into()).map(Some)
    }

    fn release(ruby: &Ruby, this: &Self) -> Result<(), Error> {
        this.0.take(ruby).map(drop)
    }
}

pub(crate) fn define(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Connecting", ruby.class_object())?;
    class.undef_default_alloc_func();
    class.define_method("fileno", method!(Connecting::fileno, 0))?;
    class.define_method("time_left", method!(Connecting::time_left, 0))?;
    class.define_method("advance", method!(Connecting::advance, 0))?;
    class.define_private_method("release", method!(Connecting::release, 0))
}
