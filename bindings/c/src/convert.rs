//! One converter per type, in both directions.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::mem::size_of;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::thread::LocalKey;
use std::time::Duration;

use libc::{sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage, socklen_t};
use subflows::KernelName;

use crate::failure::Failure;

/// A C struct that is made from a record.
pub(crate) trait CStruct<R>: Copy {
    /// The struct points to its texts, which are kept in `strings`.
    fn from_record(record: &R, strings: &mut StringArena) -> Self;
}

/// The texts that C structs point to. They live as long as the arena.
#[derive(Default)]
pub(crate) struct StringArena(Vec<CString>);

impl StringArena {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn keep(&mut self, text: &str) -> *const c_char {
        // Texts of core do not contain a zero.
        let text = CString::new(text).unwrap_or_default();
        let pointer = text.as_ptr();
        self.0.push(text);
        pointer
    }
}

/// Calls `fill` with the texts that a thread keeps until its next call.
pub(crate) fn with_strings<T>(
    kept: &'static LocalKey<RefCell<StringArena>>,
    fill: impl FnOnce(&mut StringArena) -> T,
) -> Result<T, Failure> {
    let ending = Failure::State(
        "the thread is ending, so that it cannot keep the texts",
        "Call it before the thread ends.",
    );
    kept.try_with(|strings| fill(&mut strings.borrow_mut())).map_err(|_| ending)
}

/// An options struct of C, read into core's.
pub(crate) trait FromC<O> {
    fn read(&self) -> Result<O, Failure>;
}

/// `bool`, as C passes it in memory: any byte is valid.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Flag(u8);

impl Flag {
    pub(crate) fn is_set(self) -> bool {
        self.0 != 0
    }
}

/// A value of core as C has it.
pub(crate) trait ToC {
    type C;
    fn to_c(&self, strings: &mut StringArena) -> Self::C;
}

macro_rules! same {
    ($($type:ty),*) => { $(
        impl ToC for $type {
            type C = $type;
            fn to_c(&self, _: &mut StringArena) -> $type { *self }
        }
    )* };
}
same!(u8, u16, u32, u64);

macro_rules! number {
    ($($type:ty),*) => { $(
        impl ToC for $type {
            type C = i32;
            fn to_c(&self, _: &mut StringArena) -> i32 { *self as i32 }
        }
    )* };
}
number!(
    subflows::State,
    subflows::PathManager,
    subflows::SubflowState,
    subflows::EventKind,
    subflows::Severity,
    subflows::FindingKind,
    subflows::Verdict
);

impl ToC for bool {
    type C = Flag;
    fn to_c(&self, _: &mut StringArena) -> Flag {
        Flag(u8::from(*self))
    }
}

impl ToC for String {
    type C = *const c_char;
    fn to_c(&self, strings: &mut StringArena) -> *const c_char {
        strings.keep(self)
    }
}

impl ToC for KernelName {
    type C = [c_char; KernelName::ROOM];
    fn to_c(&self, _: &mut StringArena) -> Self::C {
        let mut name = [0; KernelName::ROOM];
        for (to, from) in name.iter_mut().zip(self.bytes()) {
            *to = from as c_char;
        }
        name
    }
}

impl ToC for IpAddr {
    type C = sockaddr_storage;
    fn to_c(&self, strings: &mut StringArena) -> sockaddr_storage {
        SocketAddr::new(*self, 0).to_c(strings)
    }
}

impl ToC for SocketAddr {
    type C = sockaddr_storage;
    fn to_c(&self, _: &mut StringArena) -> sockaddr_storage {
        match self {
            SocketAddr::V4(v4) => storage(sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                sin_zero: [0; 8],
            }),
            SocketAddr::V6(v6) => storage(sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo().to_be(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            }),
        }
    }
}

fn storage<T: Copy>(address: T) -> sockaddr_storage {
    const { assert!(size_of::<T>() <= size_of::<sockaddr_storage>()) };
    // SAFETY: it consists of integers, which may be zero.
    let mut storage: sockaddr_storage = unsafe { std::mem::zeroed() };
    let into: *mut sockaddr_storage = &mut storage;
    // SAFETY: it is large enough, as asserted above, and aligned for every socket address.
    unsafe { into.cast::<T>().write(address) };
    storage
}

/// Collects which optional members are present.
#[derive(Default)]
pub(crate) struct Presence(pub(crate) u64);

impl Presence {
    /// The value, with its bit set, or zero.
    pub(crate) fn of<T: ToC>(
        &mut self,
        bit: u32,
        value: &Option<T>,
        strings: &mut StringArena,
    ) -> T::C {
        match value {
            Some(value) => {
                self.0 |= 1 << bit;
                value.to_c(strings)
            }
            // SAFETY: the types of `ToC` consist of integers, arrays of integers and pointers.
            None => unsafe { std::mem::zeroed() },
        }
    }
}

/// A text that C passed, or `None` for NULL.
pub(crate) fn text(given: *const c_char, name: &str) -> Result<Option<String>, Failure> {
    /// Far longer than any name of a host or an interface.
    const LONGEST: usize = 4096;
    if given.is_null() {
        return Ok(None);
    }
    // SAFETY: it points to a text that ends with a zero, as the caller promised; strnlen reads no
    // further.
    let length = unsafe { libc::strnlen(given, LONGEST) };
    if length == LONGEST {
        let text = format!("`{name}` has {LONGEST} bytes or more");
        return Err(Failure::argument(text, "Pass a text that ends with a zero byte."));
    }
    // SAFETY: the zero was found.
    let text = unsafe { CStr::from_ptr(given) };
    let text = text.to_str().map_err(|_| {
        Failure::argument(format!("`{name}` is not UTF-8"), "Pass the text in UTF-8.")
    })?;
    Ok(Some(text.to_owned()))
}

/// A socket address that C passed, or `None` for NULL.
pub(crate) fn address(
    given: *const sockaddr,
    length: socklen_t,
    name: &str,
) -> Result<Option<SocketAddr>, Failure> {
    if given.is_null() {
        return Ok(None);
    }
    let room = length as usize;
    let family = read_address::<libc::sa_family_t>(given, room).map(i32::from);
    let address = match family {
        Some(libc::AF_INET) => read_address(given, room).map(|v4: sockaddr_in| {
            let ip = v4.sin_addr.s_addr.to_ne_bytes().into();
            SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into()
        }),
        Some(libc::AF_INET6) => read_address(given, room).map(|v6: sockaddr_in6| {
            let (port, flow) = (u16::from_be(v6.sin6_port), u32::from_be(v6.sin6_flowinfo));
            SocketAddrV6::new(v6.sin6_addr.s6_addr.into(), port, flow, v6.sin6_scope_id).into()
        }),
        _ => None,
    };
    let wrong = || {
        Failure::argument(
            format!("`{name}` is not an IPv4 or IPv6 address"),
            format!("Pass {AN_ADDRESS}."),
        )
    };
    address.map(Some).ok_or_else(wrong)
}

/// The beginning of an address as a struct, if the address is long enough.
fn read_address<T: Copy>(given: *const sockaddr, room: usize) -> Option<T> {
    // SAFETY: `room` bytes may be read, as the caller promised; they need not be aligned, and the
    // structs of addresses consist of integers.
    (room >= size_of::<T>()).then(|| unsafe { given.cast::<T>().read_unaligned() })
}

/// An address whose port does not count.
pub(crate) fn ip(
    given: *const sockaddr,
    length: socklen_t,
    name: &str,
) -> Result<Option<IpAddr>, Failure> {
    Ok(address(given, length, name)?.map(|address| address.ip()))
}

/// What a pointer to an address must point to.
pub(crate) const AN_ADDRESS: &str =
    "a struct sockaddr_in or sockaddr_in6 with its family, and its size";

/// A value, or the failure for NULL. `wanted` is what the caller should pass.
pub(crate) fn required<T>(value: Option<T>, name: &str, wanted: &str) -> Result<T, Failure> {
    let missing = || Failure::argument(format!("`{name}` is NULL"), format!("Pass {wanted}."));
    value.ok_or_else(missing)
}

/// A duration in milliseconds; 0 means that none was given.
pub(crate) fn duration(milliseconds: u32) -> Option<Duration> {
    (milliseconds != 0).then(|| Duration::from_millis(milliseconds.into()))
}
