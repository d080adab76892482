//! Telling the peer of a local address.

use std::os::fd::AsRawFd;

use magnus::{Error, Module, RModule, Ruby, Value, method, prelude::*};
use subflows::Announce;

use crate::convert::{Ip, Sock, ToRuby};
use crate::error::OrRaise;
use crate::handle::{Handle, io_error};

/// An address that the peer was told of.
#[magnus::wrap(class = "Subflows::Announced", free_immediately, size)]
pub(crate) struct Announced(Handle<subflows::Announced>);

pub(crate) fn announce(
    ruby: &Ruby,
    sock: Sock,
    address: Ip,
    port: Option<u16>,
    backlog: u32,
) -> Result<Announced, Error> {
    let mut options = Announce::new().backlog(backlog);
    options.port = port;
    let announced = subflows::announce(&sock, address.0, &options).or_raise(ruby)?;
    Ok(Announced(Handle::new(announced)))
}

impl Announced {
    fn id(ruby: &Ruby, this: &Self) -> Result<u8, Error> {
        Ok(this.0.get(ruby)?.id())
    }

    fn address(ruby: &Ruby, this: &Self) -> Result<Value, Error> {
        this.0.get(ruby)?.address().to_ruby(ruby)
    }

    fn fileno(ruby: &Ruby, this: &Self) -> Result<i32, Error> {
        let announced = this.0.get(ruby)?;
        let listener = announced.fd().ok_or_else(|| io_error(ruby, "it has no listener"))?;
        Ok(listener.as_raw_fd())
    }

    fn turn_away(ruby: &Ruby, this: &Self) -> Result<usize, Error> {
        this.0.get(ruby)?.turn_away().or_raise(ruby)
    }

    fn revoke(ruby: &Ruby, this: &Self) -> Result<(), Error> {
        match this.0.take(ruby)? {
            Some(announced) => announced.withdraw().or_raise(ruby),
            None => Ok(()),
        }
    }

    fn release(ruby: &Ruby, this: &Self) -> Result<(), Error> {
        this.0.take(ruby).map(drop)
    }
}

pub(crate) fn define(ruby: &Ruby, module: RModule) -> Result<(), Error> {
    let class = module.define_class("Announced", ruby.class_object())?;
    class.undef_default_alloc_func();
    class.define_method("id", method!(Announced::id, 0))?;
    class.define_method("address", method!(Announced::address, 0))?;
    class.define_method("fileno", method!(Announced::fileno, 0))?;
    class.define_method("turn_away", method!(Announced::turn_away, 0))?;
    class.define_private_method("revoke", method!(Announced::revoke, 0))?;
    class.define_private_method("release", method!(Announced::release, 0))
}
