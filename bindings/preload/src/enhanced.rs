//! The options of the enhanced socket API of 2016, which `subflows run --enhanced` answers.

use std::ffi::{CStr, c_int};

use libc::{EBADF, EFAULT, EINVAL, ENOPROTOOPT, EOPNOTSUPP, IPPROTO_TCP, c_uint, socklen_t};
use subflows_enhanced::layout::{self, SubGetsockopt, SubSetsockopt};
use subflows_run::{Answer, Request, VALUE, Value};

use crate::agent::ask;
use crate::option_call::{Getting, Setting, give, room};
use crate::{counters, memory, settings, soften, steer};

/// Answers getsockopt(2). `None` for other options.
pub(crate) fn get(call: Getting) -> Option<Result<(), c_int>> {
    let agent = of(call.level, call.option)?;
    Some(get_by(agent, call))
}

fn get_by(agent: &CStr, call: Getting) -> Result<(), c_int> {
    let Getting { fd, option, value, .. } = call;
    require_mptcp(fd)?;
    let size = call.room()?;
    let mut bytes = [0u8; VALUE];
    if option == layout::INFO {
        return counters::get(value, size, |part, length| {
            Ok(asked(agent, fd, Request::Counters { part, length })?.value)
        });
    }
    if option == layout::SUB_GETSOCKOPT {
        const SIZE: usize = size_of::<SubGetsockopt>();
        let bytes = &mut bytes[..SIZE];
        if size != SIZE {
            return Err(EINVAL);
        }
        if !memory::read(value, bytes) {
            return Err(EFAULT);
        }
        // SAFETY: there are as many bytes, and any are a valid value.
        let request = unsafe { bytes.as_ptr().cast::<SubGetsockopt>().read_unaligned() };
        let SubGetsockopt { id, level, option, value, length } = request;
        let room = room(length)? as u32;
        let answer = asked(agent, fd, Request::GetOfSubflow { id, level, option, room })?;
        return give(value.cast(), length, answer.value.bytes());
    }
    // What the program passes: nothing, an id, or the addresses.
    let passed = match option {
        layout::CLOSE_SUB_ID | layout::GET_SUB_TUPLE => size.min(1),
        layout::OPEN_SUB_TUPLE => size.min(VALUE),
        _ => 0,
    };
    if !memory::read(value, &mut bytes[..passed]) {
        return Err(EFAULT);
    }
    let request = Request::Get { option, value: Value::of(&bytes[..passed]), room: size as u32 };
    let answer = asked(agent, fd, request)?;
    // The patched kernel left the buffer alone there.
    if option == layout::CLOSE_SUB_ID {
        return Ok(());
    }
    call.give(answer.value.bytes())
}

/// Answers setsockopt(2). `None` for other options.
pub(crate) fn set(call: Setting) -> Option<Result<(), c_int>> {
    let agent = of(call.level, call.option)?;
    Some(set_by(agent, call))
}

fn set_by(agent: &CStr, call: Setting) -> Result<(), c_int> {
    let Setting { fd, option, value, length, .. } = call;
    require_mptcp(fd)?;
    let mut bytes = [0u8; VALUE];
    let size = length as usize;
    if option != layout::SUB_SETSOCKOPT {
        let bytes = &mut bytes[..size.min(layout::NAME_MAX)];
        if !memory::read(value, bytes) {
            return Err(EFAULT);
        }
        return asked(agent, fd, Request::Set { option, value: Value::of(bytes) }).map(|_| ());
    }
    const SIZE: usize = size_of::<SubSetsockopt>();
    if size != SIZE {
        return Err(EINVAL);
    }
    if !memory::read(value, &mut bytes[..SIZE]) {
        return Err(EFAULT);
    }
    // SAFETY: there are as many bytes, and any are a valid value.
    let request = unsafe { bytes.as_ptr().cast::<SubSetsockopt>().read_unaligned() };
    let SubSetsockopt { id, level, option, value, length } = request;
    let passed = &mut bytes[..(length as usize).min(VALUE)];
    if !memory::read(value.cast(), passed) {
        return Err(EFAULT);
    }
    let value = Value::of(passed);
    asked(agent, fd, Request::SetOfSubflow { id, level, option, value }).map(|_| ())
}

/// The agent that answers this option.
fn of(level: c_int, option: c_int) -> Option<&'static CStr> {
    settings::enhanced().filter(|_| level == IPPROTO_TCP && layout::is_option(option))
}

fn require_mptcp(fd: c_int) -> Result<(), c_int> {
    if soften::is_mptcp(fd) {
        return Ok(());
    }
    // SAFETY: no pointer is passed.
    Err(if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 { EBADF } else { EOPNOTSUPP })
}

fn asked(agent: &CStr, fd: c_int, request: Request) -> Result<Answer, c_int> {
    steer::mark_notified(fd);
    match ask(agent, request, Some(fd)) {
        Some((answer, _)) if answer.error == 0 => Ok(answer),
        Some((answer, _)) => Err(answer.error),
        // `subflows run` has ended.
        None => Err(ENOPROTOOPT),
    }
}

const _: () = assert!(size_of::<c_uint>() == size_of::<socklen_t>());
