//! Numbers and names as Ruby passes them.

use std::fmt::Display;
use std::time::Duration;

use magnus::{Error, Float, Integer, RString, Ruby, TryConvert, Value, prelude::*};

use crate::error::{argument_error, range_error, type_error};

/// A number of core's.
pub(crate) struct Number<T>(pub(crate) T);

impl<T: TryFrom<i64> + Bounded> TryConvert for Number<T> {
    fn try_convert(given: Value) -> Result<Number<T>, Error> {
        let ruby = Ruby::get_with(given);
        let Some(number) = Integer::from_value(given) else {
            let text = format!("{} is not a number: pass an Integer", given.inspect());
            return Err(type_error(&ruby, text));
        };
        number.to_i64().ok().and_then(|number| T::try_from(number).ok()).map(Number).ok_or_else(
            || {
                let text =
                    format!("{given} is out of range: pass a number from 0 to {}", T::most());
                range_error(&ruby, text)
            },
        )
    }
}

/// Has a largest value.
pub(crate) trait Bounded {
    fn most() -> impl Display;
}

macro_rules! bounded {
    ($($type:ty),*) => { $(
        impl Bounded for $type {
            fn most() -> impl Display {
                <$type>::MAX
            }
        }
    )* };
}
bounded!(u8, u16, u32);

/// The id of a subflow.
pub(crate) struct Id(pub(crate) u32);

impl TryConvert for Id {
    fn try_convert(given: Value) -> Result<Id, Error> {
        let remedy = "a subflow is named by its id, a number: pass subflow.id";
        named(given, remedy).map(Id)
    }
}

/// The token of a connection.
pub(crate) struct Token(pub(crate) u32);

impl TryConvert for Token {
    fn try_convert(given: Value) -> Result<Token, Error> {
        let remedy = match RString::from_value(given) {
            Some(_) => "pass token.to_i(16), if it is as `ss -M` prints it",
            None => "pass Subflows.status(socket).token",
        };
        named(given, &format!("a connection is named by its token, a number: {remedy}")).map(Token)
    }
}

fn named(given: Value, remedy: &str) -> Result<u32, Error> {
    if Integer::from_value(given).is_some() {
        return Number::try_convert(given).map(|number| number.0);
    }
    // SAFETY: the name is copied before Ruby runs again.
    let class = unsafe { given.classname() }.into_owned();
    Err(type_error(&Ruby::get_with(given), format!("{remedy}, not this {class}")))
}

/// The name of an interface.
pub(crate) struct Name(pub(crate) String);

impl TryConvert for Name {
    fn try_convert(given: Value) -> Result<Name, Error> {
        String::try_convert(given).map(Name).map_err(|_| {
            let text = format!(
                "{} does not name an interface: pass text such as \"wwan0\"",
                given.inspect()
            );
            type_error(&Ruby::get_with(given), text)
        })
    }
}

/// A span of time, given in seconds.
pub(crate) struct Seconds(pub(crate) Duration);

impl TryConvert for Seconds {
    fn try_convert(given: Value) -> Result<Seconds, Error> {
        let ruby = Ruby::get_with(given);
        let seconds = Float::try_convert(given).map_err(|_| {
            let text = format!("{} is not a timeout: pass a number of seconds", given.inspect());
            type_error(&ruby, text)
        })?;
        let wrong =
            |_| argument_error(&ruby, format!("{given} is not a timeout: pass seconds, 0 or more"));
        Duration::try_from_secs_f64(seconds.to_f64()).map(Seconds).map_err(wrong)
    }
}
