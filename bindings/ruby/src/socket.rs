//! Sockets as Ruby's own objects, and the verb that makes an unconnected one.

use std::net::TcpStream;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use magnus::{Error, RClass, Ruby, Value, prelude::*};
use subflows::Family;

use crate::convert::system_error;
use crate::error::{OrRaise, argument_error};

/// Makes an object of one of Ruby's socket classes that owns the descriptor. As with Ruby's own
/// sockets, the descriptor is in non-blocking mode, so that a Fiber scheduler sees the waits.
pub(crate) fn ruby_socket(ruby: &Ruby, class: &str, fd: OwnedFd) -> Result<Value, Error> {
    let stream = TcpStream::from(fd);
    stream.set_nonblocking(true).map_err(|error| system_error(ruby, &error))?;
    let class: RClass = ruby.class_object().const_get(class)?;
    let made: Value = class.funcall("for_fd", (stream.as_raw_fd(),))?;
    // The object owns the descriptor from here on.
    let _ = stream.into_raw_fd();
    Ok(made)
}

pub(crate) fn socket(ruby: &Ruby, family: i32) -> Result<Value, Error> {
    let family = match family {
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        other => {
            let message = format!("{other} is not an address family: pass :INET or :INET6");
            return Err(argument_error(ruby, message));
        }
    };
    ruby_socket(ruby, "Socket", subflows::socket(family).or_raise(ruby)?)
}
