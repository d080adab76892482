//! One converter per type, in both directions.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use magnus::{
    Error, Integer, IntoValue, RArray, RClass, RFile, RString, Ruby, TryConvert, Value, prelude::*,
};
use subflows::{KernelName, OptionValue, SubflowOption};

use crate::error::{argument_error, type_error};

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
enumerations!(State, PathManager, SubflowState, EventKind, SubflowOption);

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
            argument_error(&Ruby::get_with(given), format!("{name} is not an option of a subflow"))
        };
        SubflowOption::from_key(&name).map(Chosen).ok_or_else(wrong)
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

/// The caller's socket: an IO, an object with `to_io`, or a number. It is borrowed for the call.
pub(crate) struct Sock(i32);

impl TryConvert for Sock {
    fn try_convert(given: Value) -> Result<Sock, Error> {
        let ruby = Ruby::get_with(given);
        let number = match Integer::from_value(given) {
            Some(number) => number.to_i32()?,
            None if RFile::from_value(given).is_some() => given.funcall("fileno", ())?,
            None => {
                let io = given.check_funcall::<_, _, Value>("to_io", ()).unwrap_or_else(|| {
                    // SAFETY: the name is copied before Ruby runs again.
                    let class = unsafe { given.classname() }.into_owned();
                    Err(type_error(&ruby, format!("{class} is not an IO and has no to_io")))
                })?;
                io.funcall("fileno", ())?
            }
        };
        if number < 0 {
            return Err(argument_error(&ruby, format!("{number} is not a descriptor")));
        }
        Ok(Sock(number))
    }
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
}

/// The error that Ruby's own methods raise: Errno::EMFILE, for example.
pub(crate) fn system_error(ruby: &Ruby, error: &std::io::Error) -> Error {
    let raised = ruby.class_object().const_get("SystemCallError").and_then(|class: RClass| {
        let (text, number) = (ruby.qnil(), error.raw_os_error());
        class.funcall::<_, _, magnus::Exception>("new", (text, number))
    });
    raised.map_or_else(|failed| failed, Error::from)
}

/// An address with a port: an Addrinfo, or `[host, port]` with an IP address as the host.
pub(crate) struct Address(pub(crate) SocketAddr);

impl TryConvert for Address {
    fn try_convert(given: Value) -> Result<Address, Error> {
        let ruby = Ruby::get_with(given);
        if let Some(pair) = RArray::from_value(given) {
            let (host, port) = <(Value, u16)>::try_convert(pair.as_value())?;
            return Ok(Address(match ip_of(host)? {
                (IpAddr::V6(v6), scope) => SocketAddrV6::new(v6, port, 0, scope).into(),
                (v4, _) => SocketAddr::new(v4, port),
            }));
        }
        let packed =
            given.check_funcall::<_, _, RString>("to_sockaddr", ()).unwrap_or_else(|| {
                Err(type_error(&ruby, "an address must be an Addrinfo or [host, port]"))
            })?;
        // SAFETY: the bytes are copied before Ruby runs again.
        let address = unpacked(unsafe { packed.as_slice() });
        Ok(Address(
            address.ok_or_else(|| argument_error(&ruby, "the address is not IPv4 or IPv6"))?,
        ))
    }
}

/// One address, or a list of addresses that are tried in turn.
pub(crate) struct Remotes(pub(crate) Vec<SocketAddr>);

impl TryConvert for Remotes {
    fn try_convert(given: Value) -> Result<Remotes, Error> {
        // `[host, port]` is one address.
        let is_pair = |list: &RArray| list.entry::<Value>(0).is_ok_and(is_text);
        let address = |given| Address::try_convert(given).map(|address| address.0);
        match RArray::from_value(given).filter(|list| !is_pair(list)) {
            Some(list) => list.into_iter().map(address).collect::<Result<_, _>>().map(Remotes),
            None => address(given).map(|address| Remotes(vec![address])),
        }
    }
}

fn is_text(value: Value) -> bool {
    RString::from_value(value).is_some()
}

/// Reads the bytes of a `sockaddr`.
fn unpacked(bytes: &[u8]) -> Option<SocketAddr> {
    fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
        bytes.get(at..at + N)?.try_into().ok()
    }
    let port = u16::from_be_bytes(part(bytes, 2)?);
    match i32::from(libc::sa_family_t::from_ne_bytes(part(bytes, 0)?)) {
        libc::AF_INET => Some((part::<4>(bytes, 4)?, port).into()),
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(part::<16>(bytes, 8)?);
            let flow = u32::from_be_bytes(part(bytes, 4)?);
            let scope = u32::from_ne_bytes(part(bytes, 24)?);
            Some(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        _ => None,
    }
}

/// An address without a port: text, an IPAddr, or an Addrinfo.
pub(crate) struct Ip(pub(crate) IpAddr);

impl TryConvert for Ip {
    fn try_convert(given: Value) -> Result<Ip, Error> {
        ip_of(given).map(|(ip, _)| Ip(ip))
    }
}

/// An IP address, and the scope of a link-local one.
fn ip_of(given: Value) -> Result<(IpAddr, u32), Error> {
    let text: String = match given.check_funcall("ip_address", ()) {
        Some(text) => text?,
        None => given.funcall("to_s", ())?,
    };
    let wrong = || argument_error(&Ruby::get_with(given), format!("{text:?} is not an IP address"));
    subflows::address_text::ip(&text).ok_or_else(wrong)
}

/// A span of time, given in seconds.
pub(crate) struct Seconds(pub(crate) Duration);

impl TryConvert for Seconds {
    fn try_convert(given: Value) -> Result<Seconds, Error> {
        let ruby = Ruby::get_with(given);
        let seconds = f64::try_convert(given)?;
        let wrong = |_| {
            argument_error(&ruby, format!("{seconds} is not a timeout: pass seconds, 0 or more"))
        };
        Duration::try_from_secs_f64(seconds).map(Seconds).map_err(wrong)
    }
}
