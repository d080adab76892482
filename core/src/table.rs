//! Core describes itself: what a record, an enumeration, an options struct and an operation look
//! like to a program that wants to list them.
//!
//! The language bindings, the command's JSON and the tables in the documentation are derived from
//! these descriptions, so that a field has one name, one unit and one sentence everywhere.
//!
//! ```
//! use subflows::table::{Record, Unit};
//!
//! let rtt = subflows::Subflow::FIELDS.iter().find(|field| field.name == "rtt_us").unwrap();
//! assert_eq!(rtt.unit, Unit::Microseconds);
//! ```

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The type of a field, an argument or a result, in terms that every language can map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ty {
    /// Nothing is returned.
    Unit,
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
    Optional(&'static Ty),
    /// Any number of.
    List(&'static Ty),
}

/// The unit in which a number is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
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
    pub ty: Ty,
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
    pub arguments: &'static [(&'static str, Ty)],
    /// What it gives.
    pub result: Ty,
    /// What it needs.
    pub privilege: Privilege,
    /// The kinds of error it can give, beside `InvalidArgument` and `Os`.
    pub errors: &'static [crate::ErrorKind],
    /// What it does.
    pub doc: &'static str,
}

/// A type with a place in the tables.
pub trait Typed {
    /// Its description.
    const TY: Ty;
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
        impl Typed for $type { const TY: Ty = Ty::$ty; }
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
    const TY: Ty = Ty::Optional(&T::TY);
}
impl<T: Readable> Readable for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Absent, T::value)
    }
}
impl<T: Typed> Typed for Vec<T> {
    const TY: Ty = Ty::List(&T::TY);
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

/// Gives the unit of a field: `[Bytes]`, or none.
macro_rules! unit {
    () => {
        $crate::table::Unit::None
    };
    ($unit:ident) => {
        $crate::table::Unit::$unit
    };
}

/// Lets a struct be read field by field.
macro_rules! reflect {
    ($name:ident, $fields:expr, [$($field:ident,)*]) => {
        impl $crate::table::Reflect for $name {
            fn name(&self) -> &'static str { stringify!($name) }
            fn fields(&self) -> &'static [$crate::table::Field] { $fields }
            fn get(&self, index: usize) -> $crate::table::Value<'_> {
                let getters: &[fn(&$name) -> $crate::table::Value<'_>] =
                    &[$(|record| $crate::table::Readable::value(&record.$field)),*];
                getters.get(index).map_or($crate::table::Value::Absent, |get| get(self))
            }
        }
    };
}

/// Declares a record: the struct, its documentation and its list of fields.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $field:ident : $type:ty $([ $($unit:ident)? $($since:literal)? ])?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[doc = $field_doc])*
                $($(#[doc = concat!("\n\nSince Linux ", $since, ".")])?)?
                pub $field: $type
            ),*
        }
        impl $crate::table::Typed for $name {
            const TY: $crate::table::Ty = $crate::table::Ty::Record(stringify!($name));
        }
        impl $crate::table::Readable for $name {
            fn value(&self) -> $crate::table::Value<'_> { $crate::table::Value::Record(self) }
        }
        impl $crate::table::Record for $name {
            const NAME: &'static str = stringify!($name);
            const DOC: &'static str = concat!($($doc, "\n"),*);
            const FIELDS: &'static [$crate::table::Field] = &[$($crate::table::Field {
                name: stringify!($field),
                ty: <$type as $crate::table::Typed>::TY,
                unit: $crate::table::unit!($($($unit)?)?),
                since: concat!("" $($(, $since)?)?),
                doc: concat!($($field_doc, "\n"),*),
            }),*];
        }
        impl $name {
            /// What it says of itself.
            pub const TABLE: $crate::table::RecordTable = $crate::table::RecordTable {
                name: <Self as $crate::table::Record>::NAME,
                doc: <Self as $crate::table::Record>::DOC,
                fields: <Self as $crate::table::Record>::FIELDS,
            };
        }
        $crate::table::reflect!($name, <Self as $crate::table::Record>::FIELDS, [$($field,)*]);
    };
}

/// Declares an enumeration whose numbers are part of the interface.
macro_rules! enumeration {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident { $($(#[doc = $variant_doc:literal])* $variant:ident = $number:literal),* $(,)? }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[doc = $variant_doc])* $variant = $number),* }
        impl $name {
            /// What it says of itself.
            pub const TABLE: $crate::table::EnumerationTable = $crate::table::EnumerationTable {
                name: stringify!($name),
                doc: concat!($($doc, "\n"),*),
                variants: &[$($crate::table::Variant {
                    name: stringify!($variant),
                    number: $number,
                    doc: concat!($($variant_doc, "\n"),*),
                }),*],
            };
            /// The name, as this enumeration spells it.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => stringify!($variant)),* }
            }
        }
        impl $crate::table::Typed for $name {
            const TY: $crate::table::Ty = $crate::table::Ty::Enum(stringify!($name));
        }
        impl $crate::table::Readable for $name {
            fn value(&self) -> $crate::table::Value<'_> {
                $crate::table::Value::Enum(self.name(), *self as i32)
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

/// Declares an options struct: fields that may stay unset (`maybe`, whose setters convert, and
/// `exact`, whose setters take a literal number), fields with a default (`set`), and a setter for
/// each.
macro_rules! options {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            maybe { $($(#[doc = $m_doc:literal])* $maybe:ident : $m_type:ty),* $(,)? }
            $(exact { $($(#[doc = $e_doc:literal])* $exact:ident : $e_type:ty),* $(,)? })?
            set { $($(#[doc = $s_doc:literal])* $set:ident : $s_type:ty = $default:expr),* $(,)? }
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[doc = $m_doc])* pub $maybe: Option<$m_type>,)*
            $($($(#[doc = $e_doc])* pub $exact: Option<$e_type>,)*)?
            $($(#[doc = $s_doc])* pub $set: $s_type,)*
        }
        impl Default for $name {
            fn default() -> Self { $name { $($maybe: None,)* $($($exact: None,)*)? $($set: $default),* } }
        }
        impl $name {
            /// The defaults.
            #[must_use]
            pub fn new() -> Self { Self::default() }
            $(
                $(#[doc = $m_doc])*
                #[must_use]
                pub fn $maybe(mut self, $maybe: impl Into<$m_type>) -> Self {
                    self.$maybe = Some($maybe.into());
                    self
                }
            )*
            $($(
                $(#[doc = $e_doc])*
                #[must_use]
                pub fn $exact(mut self, $exact: $e_type) -> Self {
                    self.$exact = Some($exact);
                    self
                }
            )*)?
            $(
                $(#[doc = $s_doc])*
                #[must_use]
                pub fn $set(mut self, $set: $s_type) -> Self {
                    self.$set = $set;
                    self
                }
            )*
            /// The fields, in order; the optional ones first.
            pub const FIELDS: &'static [$crate::table::Field] = &[
                $($crate::table::Field {
                    name: stringify!($maybe),
                    ty: $crate::table::Ty::Optional(&<$m_type as $crate::table::Typed>::TY),
                    unit: $crate::table::Unit::None,
                    since: "",
                    doc: concat!($($m_doc, "\n"),*),
                },)*
                $($($crate::table::Field {
                    name: stringify!($exact),
                    ty: $crate::table::Ty::Optional(&<$e_type as $crate::table::Typed>::TY),
                    unit: $crate::table::Unit::None,
                    since: "",
                    doc: concat!($($e_doc, "\n"),*),
                },)*)?
                $($crate::table::Field {
                    name: stringify!($set),
                    ty: <$s_type as $crate::table::Typed>::TY,
                    unit: $crate::table::Unit::None,
                    since: "",
                    doc: concat!($($s_doc, "\n"),*),
                },)*
            ];
        }
        impl $crate::table::Typed for $name {
            const TY: $crate::table::Ty = $crate::table::Ty::Options(stringify!($name));
        }
        impl $name {
            /// What it says of itself.
            pub const TABLE: $crate::table::OptionsTable = $crate::table::OptionsTable {
                name: stringify!($name),
                doc: concat!($($doc, "\n"),*),
                fields: Self::FIELDS,
                defaults: || Box::new(Self::default()),
            };
        }
        $crate::table::reflect!($name, Self::FIELDS, [$($maybe,)* $($($exact,)*)? $($set,)*]);
    };
}

/// Declares a public function together with its row in [`OPERATIONS`](crate::OPERATIONS).
macro_rules! operation {
    (
        $(#[doc = $doc:literal])*
        $(#[doc(alias = $alias:literal)])*
        row $row:ident($($arg:ident : $ty:expr),* $(,)?) -> $result:expr,
        $privilege:ident, [$($error:ident)*];
        pub fn $name:ident $($rest:tt)*
    ) => {
        $(#[doc = $doc])*
        $(#[doc(alias = $alias)])*
        pub fn $name $($rest)*
        pub(crate) const $row: $crate::table::Operation = $crate::table::Operation {
            name: stringify!($name),
            arguments: &[$((stringify!($arg), $ty)),*],
            result: $result,
            privilege: $crate::table::Privilege::$privilege,
            errors: &[$($crate::ErrorKind::$error),*],
            doc: concat!($($doc, "\n"),*),
        };
    };
}

pub(crate) use {enumeration, operation, options, record, reflect, unit};
