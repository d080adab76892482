//! Opening one more subflow, stepped by Java.

use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use jni::Env;
use jni::objects::{JClass, JLongArray, JObject};
use jni::sys::{jint, jlong};
use subflows::Open;

use crate::error::Failure;
use crate::handle::{self, Held};
use crate::socket;
use crate::words::{Given, Words};

/// An opening with the descriptor that it borrows.
pub(crate) struct Begun {
    opening: ManuallyDrop<subflows::Opening<'static>>,
    _borrowed: Box<BorrowedFd<'static>>,
    _sock: OwnedFd,
}

impl Drop for Begun {
    fn drop(&mut self) {
        // SAFETY: it is dropped here alone, before what it borrows, and not used after this.
        unsafe { ManuallyDrop::drop(&mut self.opening) };
    }
}

impl Begun {
    fn new(sock: OwnedFd, options: &Open) -> subflows::Result<Begun> {
        // SAFETY: the descriptor stays open as long as `_sock` lives, which outlives the opening.
        let borrowed = Box::new(unsafe { BorrowedFd::borrow_raw(sock.as_raw_fd()) });
        let pointer: *const BorrowedFd<'static> = &*borrowed;
        // SAFETY: the box does not move its content, and outlives the opening.
        let lent: &'static BorrowedFd<'static> = unsafe { &*pointer };
        let opening = ManuallyDrop::new(subflows::Opening::begin(lent, options)?);
        Ok(Begun { opening, _borrowed: borrowed, _sock: sock })
    }

    pub(crate) fn get(&mut self) -> &mut subflows::Opening<'static> {
        &mut self.opening
    }
}

/// Begins; gives the handle's number.
pub(crate) fn begin(
    env: &mut Env<'_>,
    _: JClass<'_>,
    sock: JObject<'_>,
    fd: jint,
    options: JLongArray<'_>,
) -> Result<jlong, Failure> {
    let options = Given::options::<Open>(env, &options)?;
    let sock = socket::duplicate(env, &sock, fd, "open")?;
    Ok(handle::keep(Held::Opening(Begun::new(sock, &options)?)))
}

/// Looks whether the subflow is usable; null where it is not yet.
pub(crate) fn advance<'local>(
    env: &mut Env<'local>,
    _: JClass<'_>,
    number: jlong,
    sock: JObject<'_>,
) -> Result<JLongArray<'local>, Failure> {
    socket::check_open(env, &sock, "open")?;
    let subflow = handle::with(number, |held| match held {
        Held::Opening(begun) => Ok(begun.get().advance()?),
        _ => Err(Failure::Over),
    })?;
    subflow.map_or_else(|| Ok(JLongArray::null()), |subflow| Words::only(&subflow).to_java(env))
}
