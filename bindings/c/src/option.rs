//! The options of a single subflow.

use subflows::{OptionValue, SubflowOption};

use crate::prelude::*;

/// `option` is an enum subflows_subflow_option. `value` points to what the option requires: a bool, uint32_t
/// or uint64_t for a number or a switch, and the letters for a name; `size` is its size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_set_option(
    fd: c_int,
    id: u32,
    option: c_int,
    value: *const c_void,
    size: usize,
) -> c_int {
    guard("set_option", || {
        let option = chosen(option)?;
        // SAFETY: `value` has `size` bytes.
        let bytes = unsafe { bytes(value, size) }?;
        let value = match option {
            SubflowOption::CongestionControl => {
                let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
                OptionValue::from(String::from_utf8_lossy(&bytes[..end]).into_owned())
            }
            _ => number_in(bytes)?.into(),
        };
        Ok(subflows::set_option(&socket(fd)?, id, option, value)?)
    })
}

/// `option` is an enum subflows_subflow_option. `value` receives a bool, uint32_t or uint64_t, as `size` requires, or
/// a name that ends with a zero, for which 16 bytes are enough.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_get_option(
    fd: c_int,
    id: u32,
    option: c_int,
    value: *mut c_void,
    size: usize,
) -> c_int {
    guard("get_option", || {
        // SAFETY: `value` has `size` bytes.
        let room = unsafe { room(value, size) }?;
        give(subflows::get_option(&socket(fd)?, id, chosen(option)?)?, room)
    })
}

/// `value` points to the `size` bytes that setsockopt(2) would take.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_set_raw_option(
    fd: c_int,
    id: u32,
    level: u32,
    number: u32,
    value: *const c_void,
    size: usize,
) -> c_int {
    guard("set_raw_option", || {
        // SAFETY: `value` has `size` bytes.
        let bytes = unsafe { bytes(value, size) }?;
        Ok(subflows::set_raw_option(&socket(fd)?, id, level, number, bytes)?)
    })
}

/// `value` receives `length` bytes; `size` is the room there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_get_raw_option(
    fd: c_int,
    id: u32,
    level: u32,
    number: u32,
    length: u32,
    value: *mut c_void,
    size: usize,
) -> c_int {
    guard("get_raw_option", || {
        // SAFETY: `value` has `size` bytes.
        let room = unsafe { room(value, size) }?;
        give(subflows::get_raw_option(&socket(fd)?, id, level, number, length)?, room)
    })
}

fn chosen(option: c_int) -> Result<SubflowOption, Failure> {
    SubflowOption::from_number(option).ok_or_else(|| {
        Failure::argument(
            format!("{option} is not an option"),
            "Pass a constant of enum subflows_subflow_option.",
        )
    })
}

/// The longest value that makes sense: a longer one is refused by core.
const LONGEST: usize = 256;

/// # Safety
/// `value` is NULL or has `size` bytes, which do not change during the call.
unsafe fn bytes<'a>(value: *const c_void, size: usize) -> Result<&'a [u8], Failure> {
    if value.is_null() {
        return Err(Failure::argument(
            "`value` is NULL",
            "Pass a pointer to the value, and its size.",
        ));
    }
    // SAFETY: as the caller promised.
    Ok(unsafe { std::slice::from_raw_parts(value.cast(), size.min(LONGEST)) })
}

/// # Safety
/// `value` is NULL or has `size` bytes, which nothing else uses during the call.
unsafe fn room<'a>(value: *mut c_void, size: usize) -> Result<&'a mut [MaybeUninit<u8>], Failure> {
    if value.is_null() {
        return Err(Failure::argument(
            "`value` is NULL",
            "Pass a pointer to room for the value, and its size.",
        ));
    }
    // SAFETY: as the caller promised.
    Ok(unsafe { std::slice::from_raw_parts_mut(value.cast(), size.min(LONGEST)) })
}

fn number_in(bytes: &[u8]) -> Result<u64, Failure> {
    if let [byte] = bytes {
        return Ok((*byte).into());
    }
    let word = bytes.try_into().map(|word| u32::from_ne_bytes(word).into());
    let number = word.or_else(|_| bytes.try_into().map(u64::from_ne_bytes));
    number.map_err(|_| wrong_size(bytes.len()))
}

fn wrong_size(size: usize) -> Failure {
    Failure::argument(
        format!("{size} bytes do not fit the value of this option"),
        "Pass a uint64_t or uint32_t for a number, a bool for a switch, char[16] for a name.",
    )
}

/// Writes a value as its room requires.
fn give(value: OptionValue, room: &mut [MaybeUninit<u8>]) -> Result<(), Failure> {
    let size = room.len();
    let bytes = match value {
        OptionValue::Bytes(bytes) => bytes,
        OptionValue::Name(name) => [name.as_bytes(), &[0]].concat(),
        OptionValue::Number(number) => number_bytes(number, size)?,
        OptionValue::Switch(on) => number_bytes(on.into(), size)?,
    };
    if bytes.len() > size {
        return Err(wrong_size(size));
    }
    for (to, from) in room.iter_mut().zip(bytes) {
        to.write(from);
    }
    Ok(())
}

/// A number as an integer of that size.
fn number_bytes(number: u64, size: usize) -> Result<Vec<u8>, Failure> {
    match (size, u8::try_from(number), u32::try_from(number)) {
        (8, _, _) => Ok(number.to_ne_bytes().into()),
        (4, _, Ok(word)) => Ok(word.to_ne_bytes().into()),
        (1, Ok(byte), _) => Ok(vec![byte]),
        _ => Err(wrong_size(size)),
    }
}
