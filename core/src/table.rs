//! Core describes itself: what a record, an enumeration, an options struct and an operation look
//! like to a program that wants to list them.
//!
//! The language bindings, the command's JSON and the tables in the documentation are derived from
//! these descriptions, so that a field has one name, one unit and one sentence everywhere.
//!
//! [`Type`], [`Unit`] and [`Value`] are exhaustive on purpose: whoever maps them to a language is told
//! by the compiler of a type that was added.
//!
//! ```
//! use subflows::table::{Record, Unit};
//!
//! let rtt = subflows::Subflow::FIELDS.iter().find(|field| field.name == "rtt_us").unwrap();
//! assert_eq!(rtt.unit, Unit::Microseconds);
//! ```

mod declare;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

pub(crate) use declare::{enumeration, operation, options, record, reflect, requirements, unit};

/// The type of a field, an argument or a result, in terms that every language can map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Nothing is returned.
    Nothing,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// True or false.
    Bool,
    /// Text in UTF-8.
    Text,
    /// A short name of the kernel's: at most 15 bytes of UTF-8.
    Name,
    /// An IP address without a port.
    Ip,
    /// An IP address and a port.
    Address,
    /// A span of time.
    Duration,
    /// Whatever the language calls a socket; borrowed for the call.
    Socket,
    /// A stream socket that the library made and the caller owns.
    NewSocket,
    /// A handle with an owner, by name.
    Handle(&'static str),
    /// One of a closed list, by the enumeration's name.
    Enum(&'static str),
    /// A record, by name.
    Record(&'static str),
    /// An options struct, by name.
    Options(&'static str),
    /// Present or absent.
    Optional(&'static Type),
    /// Any number of.
    List(&'static Type),
}

/// The unit in which a number is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number or not a number.
    None,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// TCP segments.
    Segments,
}

/// The value of a field, borrowed from its record.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A number.
    UInt(u64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(&'a str),
    /// An address without a port.
    Ip(IpAddr),
    /// An address and a port.
    Address(SocketAddr),
    /// A span of time.
    Duration(Duration),
    /// A name of an enumeration and its number.
    Enum(&'static str, i32),
    /// A record inside the record.
    Record(&'a dyn Reflect),
    /// A list of records.
    List(&'a dyn ReflectList),
    /// The kernel does not know this field.
    Absent,
}

/// One field of a record or of an options struct.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name, in snake case.
    pub name: &'static str,
    /// The type.
    pub ty: Type,
    /// The unit.
    pub unit: Unit,
    /// The first Linux release that has it; empty where every supported one has.
    pub since: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// A record, as every language shows it.
#[derive(Clone, Copy, Debug)]
pub struct RecordTable {
    /// The name, in camel case.
    pub name: &'static str,
    /// What it describes.
    pub doc: &'static str,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

/// An options struct, as every language shows it. Zero, false and absent are every default, or stand
/// for it: a language without defaults can say nothing by zero.
#[derive(Clone, Copy, Debug)]
pub struct OptionsTable {
    /// The name, in camel case.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its fields, in order; the optional ones first.
    pub fields: &'static [Field],
    /// One with the defaults.
    pub defaults: fn() -> Box<dyn Reflect>,
}

/// An enumeration, as every language shows it.
#[derive(Clone, Copy, Debug)]
pub struct EnumerationTable {
    /// The name, in camel case.
    pub name: &'static str,
    /// What it tells.
    pub doc: &'static str,
    /// Its values, in order.
    pub variants: &'static [Variant],
}

/// One value of an enumeration.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// The name, in camel case.
    pub name: &'static str,
    /// The number, which never changes.
    pub number: i32,
    /// What it means.
    pub doc: &'static str,
}

/// Which right an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// None at all.
    Nothing,
    /// `CAP_NET_ADMIN` over the network namespace, or a broker that has it.
    NetAdmin,
    /// None, unless an option asks for control.
    NetAdminForControl,
}

/// One public function, as every language shows it.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The name, in snake case.
    pub name: &'static str,
    /// The arguments: name and type.
    pub arguments: &'static [(&'static str, Type)],
    /// What it gives.
    pub result: Type,
    /// Which right it requires.
    pub privilege: Privilege,
    /// What it requires together with that right; empty if nothing.
    pub requires: &'static str,
    /// The oldest Linux version on which it works; empty if it works on any.
    pub since: &'static str,
    /// What that kernel must have been built or loaded with; empty if nothing.
    pub with: &'static str,
    /// All of this in one sentence.
    pub requirements: &'static str,
    /// The kinds of error it can give, beside `InvalidArgument` and `Os`.
    pub errors: &'static [crate::ErrorKind],
    /// What it does.
    pub doc: &'static str,
}

/// A type with a place in the tables.
pub trait Typed {
    /// Its description.
    const TYPE: Type;
}

/// A type whose values can be read through [`Value`].
pub trait Readable: Typed {
    /// The value, borrowed.
    fn value(&self) -> Value<'_>;
}

/// What a record says of itself.
pub trait Record: Reflect {
    /// The record's name.
    const NAME: &'static str;
    /// What it describes.
    const DOC: &'static str;
    /// Its fields, in order.
    const FIELDS: &'static [Field];
}

/// A record whose type is not known at compile time.
pub trait Reflect {
    /// The record's name.
    fn name(&self) -> &'static str;
    /// Its fields, in order.
    fn fields(&self) -> &'static [Field];
    /// The value of the field with that index; `Absent` past the end.
    fn get(&self, index: usize) -> Value<'_>;
}

/// A list of records whose type is not known at compile time.
pub trait ReflectList {
    /// How many there are.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The record at that place.
    fn at(&self, index: usize) -> Option<&dyn Reflect>;
}

macro_rules! readable {
    ($($type:ty = $ty:ident, $self:ident => $value:expr;)*) => { $(
        impl Typed for $type { const TYPE: Type = Type::$ty; }
        impl Readable for $type { fn value(&$self) -> Value<'_> { $value } }
    )* };
}
readable! {
    u8 = U8, self => Value::UInt(u64::from(*self));
    u16 = U16, self => Value::UInt(u64::from(*self));
    u32 = U32, self => Value::UInt(u64::from(*self));
    u64 = U64, self => Value::UInt(*self);
    bool = Bool, self => Value::Bool(*self);
    String = Text, self => Value::Text(self);
    IpAddr = Ip, self => Value::Ip(*self);
    SocketAddr = Address, self => Value::Address(*self);
    Duration = Duration, self => Value::Duration(*self);
}

impl<T: Typed> Typed for Option<T> {
    const TYPE: Type = Type::Optional(&T::TYPE);
}
impl<T: Readable> Readable for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Absent, T::value)
    }
}
impl<T: Typed> Typed for Vec<T> {
    const TYPE: Type = Type::List(&T::TYPE);
}
impl<T: Record + Typed> Readable for Vec<T> {
    fn value(&self) -> Value<'_> {
        Value::List(self)
    }
}
impl<T: Record> ReflectList for Vec<T> {
    fn len(&self) -> usize {
        Vec::len(self)
    }
    fn at(&self, index: usize) -> Option<&dyn Reflect> {
        self.get(index).map(|record| record as &dyn Reflect)
    }
}
