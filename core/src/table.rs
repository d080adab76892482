//! How core describes itself: its records, enumerations, options and operations, as data.
//!
//! The language bindings, the command's JSON and the tables in the documentation are derived from
//! these descriptions, so that a field has one name, one unit and one sentence everywhere.
//!
//! [`Type`], [`Unit`] and [`Value`] are exhaustive on purpose: when a type is added, code that maps
//! them to a language does not compile until it maps the new one.
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

/// The type of a field, an argument or a result, in terms that every language has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Nothing is returned.
    Nothing,
    /// An unsigned integer of 8 bits.
    U8,
    /// An unsigned integer of 16 bits.
    U16,
    /// An unsigned integer of 32 bits.
    U32,
    /// An unsigned integer of 64 bits.
    U64,
    /// True or false.
    Bool,
    /// Text in UTF-8.
    Text,
    /// A short name of the kernel: at most 15 bytes of UTF-8.
    Name,
    /// An IP address without a port.
    Ip,
    /// An IP address and a port.
    Address,
    /// A span of time.
    Duration,
    /// A number, true or false, or text, as an option of a subflow requires.
    OptionValue,
    /// A socket of the language, borrowed for the call.
    Socket,
    /// A stream socket that the library created and that the caller owns.
    NewSocket,
    /// A handle that the caller owns, with its name.
    Handle(&'static str),
    /// An enumeration, with its name.
    Enum(&'static str),
    /// A record, with its name.
    Record(&'static str),
    /// An options struct, with its name.
    Options(&'static str),
    /// A value of that type, or none.
    Optional(&'static Type),
    /// Any number of values of that type.
    List(&'static Type),
}

/// The unit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// No unit, or not a number.
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
    /// A value of an enumeration: its name and its number.
    Enum(&'static str, i32),
    /// A record inside the record.
    Record(&'a dyn Reflect),
    /// A list of records.
    List(&'a dyn ReflectList),
    /// The field has no value.
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
    /// The first Linux version that has it; empty if every supported version has it.
    pub since: &'static str,
    /// Its documentation.
    pub doc: &'static str,
}

/// The description of a record.
#[derive(Clone, Copy, Debug)]
pub struct RecordTable {
    /// The name, in camel case.
    pub name: &'static str,
    /// Its documentation.
    pub doc: &'static str,
    /// Its fields, in order.
    pub fields: &'static [Field],
}

/// The description of an options struct.
///
/// Every default is zero, false or absent, or is what zero is taken to mean: in C, an option that was
/// not set is zero.
#[derive(Clone, Copy, Debug)]
pub struct OptionsTable {
    /// The name, in camel case.
    pub name: &'static str,
    /// Its documentation.
    pub doc: &'static str,
    /// Its fields, in order; the optional ones first.
    pub fields: &'static [Field],
    /// Returns the options with every default.
    pub defaults: fn() -> Box<dyn Reflect>,
}

/// The description of an enumeration.
#[derive(Clone, Copy, Debug)]
pub struct EnumerationTable {
    /// The name, in camel case.
    pub name: &'static str,
    /// Its documentation.
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
    /// Its documentation.
    pub doc: &'static str,
}

/// The privilege that an operation requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// None.
    Nothing,
    /// `CAP_NET_ADMIN` over the network namespace, or a broker that has it.
    NetAdmin,
    /// `CAP_NET_ADMIN` over the network namespace, of this process: a broker does not help.
    OwnNetAdmin,
    /// None, unless the option `control` is set.
    NetAdminForControl,
    /// `CAP_BPF` and `CAP_PERFMON`, outside of user namespaces.
    Bpf,
    /// As `Bpf`, for what the kernel does not report to every process.
    BpfForMost,
}

/// The description of a public function.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The name, in snake case.
    pub name: &'static str,
    /// The name and the type of each argument.
    pub arguments: &'static [(&'static str, Type)],
    /// The type of the result.
    pub result: Type,
    /// The privilege that it requires.
    pub privilege: Privilege,
    /// What it requires together with that privilege; empty if nothing.
    pub requires: &'static str,
    /// The oldest Linux version on which it works; empty if it works on any.
    pub since: &'static str,
    /// The kernel's build option or module that it requires; empty if none.
    pub with: &'static str,
    /// The requirements in one sentence.
    pub requirements: &'static str,
    /// The kinds of error that it reports, other than `InvalidArgument` and `Os`.
    pub errors: &'static [crate::ErrorKind],
    /// Its documentation.
    pub doc: &'static str,
}

/// A type that the tables can describe.
pub trait Typed {
    /// The description of the type.
    const TYPE: Type;
}

/// A type whose values can be read through [`Value`].
pub trait Readable: Typed {
    /// Returns the value, borrowed from `self`.
    fn value(&self) -> Value<'_>;
}

/// A record: a struct whose fields can be listed.
pub trait Record: Reflect {
    /// The name of the record.
    const NAME: &'static str;
    /// The documentation of the record.
    const DOC: &'static str;
    /// The fields, in order.
    const FIELDS: &'static [Field];
}

/// A record whose type is not known at compile time.
pub trait Reflect {
    /// Returns the name of the record.
    fn name(&self) -> &'static str;
    /// Returns the fields, in order.
    fn fields(&self) -> &'static [Field];
    /// Returns the value of the field with that index, or `Absent` past the end.
    fn get(&self, index: usize) -> Value<'_>;
}

/// A list of records whose type is not known at compile time.
pub trait ReflectList {
    /// Returns the number of records.
    fn len(&self) -> usize;
    /// Reports whether the list is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Returns the record with that index, or `None` past the end.
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
