//! Options of a subflow as Ruby passes them.

use magnus::{Error, Integer, RString, Ruby, TryConvert, Value, prelude::*};
use subflows::{OptionValue, SubflowOption};

use crate::error::argument_error;

/// The value of an option of a subflow: an Integer, true, false, a String or a Symbol.
pub(crate) struct GivenValue(pub(crate) OptionValue);

impl TryConvert for GivenValue {
    fn try_convert(given: Value) -> Result<GivenValue, Error> {
        let ruby = Ruby::get_with(given);
        if given.is_kind_of(ruby.class_true_class()) || given.is_kind_of(ruby.class_false_class()) {
            return Ok(GivenValue(given.to_bool().into()));
        }
        if let Some(number) = Integer::from_value(given) {
            // Core names the range of the option.
            return Ok(GivenValue(number.to_u64().unwrap_or(u64::MAX).into()));
        }
        if let Some(text) = RString::from_value(given) {
            // SAFETY: the bytes are copied before Ruby runs again.
            let bytes = unsafe { text.as_slice() };
            return Ok(GivenValue(match std::str::from_utf8(bytes) {
                Ok(name) => name.into(),
                Err(_) => bytes.into(),
            }));
        }
        Ok(GivenValue(given.funcall::<_, _, String>("to_s", ())?.into()))
    }
}

/// An option of a subflow: a Symbol such as :mark.
pub(crate) struct Chosen(pub(crate) SubflowOption);

impl TryConvert for Chosen {
    fn try_convert(given: Value) -> Result<Chosen, Error> {
        let name: String = given.funcall("to_s", ())?;
        let wrong = || {
            let shown = given.inspect();
            let text =
                format!("{shown} is not an option of a subflow: pass a Symbol such as :mark");
            argument_error(&Ruby::get_with(given), text)
        };
        SubflowOption::from_key(&name).map(Chosen).ok_or_else(wrong)
    }
}
