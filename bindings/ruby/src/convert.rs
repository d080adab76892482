//! One converter per type of a result.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use magnus::{Error, IntoValue, RClass, Ruby, Value, prelude::*};
use subflows::{KernelName, OptionValue};

/// Core's value as a Ruby object.
pub(crate) trait ToRuby {
    fn to_ruby(&self, ruby: &Ruby) -> Result<Value, Error>;
}

macro_rules! as_is {
    ($($type:ty),*) => { $(
        impl ToRuby for $type {
            fn to_ruby(&self, ruby: &Ruby) -> Result<Value, Error> {
                Ok((*self).into_value_with(ruby))
            }
        }
    )* };
}
as_is!(u8, u16, u32, u64, bool);

macro_rules! texts {
    ($($type:ty),*) => { $(
        impl ToRuby for $type {
            fn to_ruby(&self, ruby: &Ruby) -> Result<Value, Error> {
                Ok(ruby.str_new(self).into_value_with(ruby))
            }
        }
    )* };
}
texts!(String, KernelName);

/// A name as a symbol: "FellBack" becomes `:fell_back`.
pub(crate) fn symbol(ruby: &Ruby, name: &str) -> Value {
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    ruby.to_symbol(snake).into_value_with(ruby)
}

macro_rules! enumerations {
    ($($type:ident),*) => { $(
        impl ToRuby for subflows::$type {
            fn to_ruby(&self, ruby: &Ruby) -> Result<Value, Error> {
                Ok(symbol(ruby, self.name()))
            }
        }
    )* };
}
enumerations!(
    State,
    PathManager,
    SubflowState,
    EventKind,
    SubflowOption,
    Severity,
    FindingKind,
    Verdict
);

/// Bytes of a raw option are a binary String.
impl ToRuby for OptionValue {
    fn to_ruby(&self, ruby: &Ruby) -> Result<Value, Error> {
        match self {
            OptionValue::Number(number) => number.to_ruby(ruby),
            OptionValue::Switch(on) => on.to_ruby(ruby),
            OptionValue::Name(name) => name.to_ruby(ruby),
            OptionValue::Bytes(bytes) => Ok(ruby.str_from_slice(bytes).into_value_with(ruby)),
        }
    }
}

/// An Addrinfo, made from the bytes of a `sockaddr`.
fn addrinfo(ruby: &Ruby, address: SocketAddr, kind: i32) -> Result<Value, Error> {
    let (family, port) = match address {
        SocketAddr::V4(_) => (libc::AF_INET, address.port()),
        SocketAddr::V6(_) => (libc::AF_INET6, address.port()),
    };
    let mut packed = Vec::with_capacity(size_of::<libc::sockaddr_in6>());
    packed.extend((family as libc::sa_family_t).to_ne_bytes());
    packed.extend(port.to_be_bytes());
    match address {
        SocketAddr::V4(v4) => {
            packed.extend(v4.ip().octets());
            packed.extend([0; 8]);
        }
        SocketAddr::V6(v6) => {
            packed.extend(v6.flowinfo().to_be_bytes());
            packed.extend(v6.ip().octets());
            packed.extend(v6.scope_id().to_ne_bytes());
        }
    }
    let class: RClass = ruby.class_object().const_get("Addrinfo")?;
    class.funcall("new", (ruby.str_from_slice(&packed), family, kind, 0))
}

impl ToRuby for SocketAddr {
    fn to_ruby(&self, ruby: &Ruby) -> Result<Value, Error> {
        addrinfo(ruby, *self, libc::SOCK_STREAM)
    }
}

/// As `Addrinfo.ip` returns it.
impl ToRuby for IpAddr {
    fn to_ruby(&self, ruby: &Ruby) -> Result<Value, Error> {
        addrinfo(ruby, SocketAddr::new(*self, 0), 0)
    }
}

impl ToRuby for Duration {
    fn to_ruby(&self, ruby: &Ruby) -> Result<Value, Error> {
        Ok(self.as_secs_f64().into_value_with(ruby))
    }
}

impl<T: ToRuby> ToRuby for Option<T> {
    fn to_ruby(&self, ruby: &Ruby) -> Result<Value, Error> {
        self.as_ref().map_or_else(|| Ok(ruby.qnil().as_value()), |value| value.to_ruby(ruby))
    }
}

impl<T: ToRuby> ToRuby for Vec<T> {
    fn to_ruby(&self, ruby: &Ruby) -> Result<Value, Error> {
        let list = ruby.ary_new_capa(self.len());
        self.iter().try_for_each(|value| list.push(value.to_ruby(ruby)?))?;
        Ok(list.as_value())
    }
}

/// The error that Ruby's own methods raise: Errno::EMFILE, for example.
pub(crate) fn system_error(ruby: &Ruby, error: &std::io::Error) -> Error {
    let raised = ruby.class_object().const_get("SystemCallError").and_then(|class: RClass| {
        let (text, number) = (ruby.qnil(), error.raw_os_error());
        class.funcall::<_, _, magnus::Exception>("new", (text, number))
    });
    raised.map_or_else(|failed| failed, Error::from)
}
