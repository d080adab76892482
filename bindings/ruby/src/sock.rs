//! The caller's sockets.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use magnus::{Error, Integer, RFile, Ruby, TryConvert, Value, prelude::*};

use crate::convert::system_error;
use crate::error::{argument_error, type_error};

/// Methods that lead from an object of a library to its socket.
const LEADING: &[&str] = &[
    "to_io",  // OpenSSL's sockets, Subflows::HTTP
    "io",     // Net::BufferedIO, the streams of Async
    "socket", // clients of many libraries
];

/// How many objects may be between the caller's and the socket.
const DEPTH: usize = 5;

/// The caller's socket: an IO, an object that leads to one, or a number. It is borrowed for the call.
#[derive(Clone, Copy)]
pub(crate) struct Sock(i32);

impl TryConvert for Sock {
    fn try_convert(given: Value) -> Result<Sock, Error> {
        let ruby = Ruby::get_with(given);
        let number = match Integer::from_value(given) {
            Some(number) => number.to_i32().unwrap_or(-1),
            None => io_of(given)?.funcall("fileno", ())?,
        };
        if number < 0 {
            let text = format!("{given} is not a descriptor: pass a socket, or its fileno");
            return Err(argument_error(&ruby, text));
        }
        Ok(Sock(number))
    }
}

/// The IO to which an object leads.
fn io_of(given: Value) -> Result<Value, Error> {
    let mut object = given;
    for _ in 0..DEPTH {
        if RFile::from_value(object).is_some() {
            return Ok(object);
        }
        let mut methods = LEADING.iter();
        match methods.find_map(|name| object.check_funcall::<_, _, Value>(*name, ())) {
            Some(next) => object = next?,
            None => break,
        }
    }
    // SAFETY: the name is copied before Ruby runs again.
    let class = unsafe { given.classname() }.into_owned();
    let text = format!("{class} is not an IO and has no to_io: pass a socket, or its fileno");
    Err(type_error(&Ruby::get_with(given), text))
}

impl AsFd for Sock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: it is not negative. The caller keeps it open: closing a socket in another thread
        // during a call makes the call fail, as with the socket's own methods.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

impl Sock {
    /// A duplicate, for handles that outlive the call.
    pub(crate) fn duplicate(&self, ruby: &Ruby) -> Result<OwnedFd, Error> {
        self.as_fd().try_clone_to_owned().map_err(|error| system_error(ruby, &error))
    }

    /// Whether the caller's number still names the socket that was duplicated.
    pub(crate) fn is_still(self, duplicate: &OwnedFd) -> bool {
        matches!((identity(self.0), identity(duplicate.as_raw_fd())), (Some(a), Some(b)) if a == b)
    }
}

/// The identity of an open file; nothing if the number is not open.
fn identity(fd: i32) -> Option<(u64, u64)> {
    // SAFETY: all zeros are a valid value: the structure has numbers only.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for a `stat`; the call fails if the number is not open.
    (unsafe { libc::fstat(fd, &raw mut stat) } == 0).then_some((stat.st_dev, stat.st_ino))
}
