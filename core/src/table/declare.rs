//! Macros that declare an item together with its description in the tables.

/// Expands to the unit of a field: `[Bytes]`, or none.
macro_rules! unit {
    () => {
        $crate::table::Unit::None
    };
    ($unit:ident) => {
        $crate::table::Unit::$unit
    };
}

/// Implements reading a struct field by field.
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

/// Declares a record: the struct, its documentation and the description of its fields.
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
            const TYPE: $crate::table::Type = $crate::table::Type::Record(stringify!($name));
        }
        impl $crate::table::Readable for $name {
            fn value(&self) -> $crate::table::Value<'_> { $crate::table::Value::Record(self) }
        }
        impl $crate::table::Record for $name {
            const NAME: &'static str = stringify!($name);
            const DOC: &'static str = concat!($($doc, "\n"),*);
            const FIELDS: &'static [$crate::table::Field] = &[$($crate::table::Field {
                name: stringify!($field),
                ty: <$type as $crate::table::Typed>::TYPE,
                unit: $crate::table::unit!($($($unit)?)?),
                since: concat!("" $($(, $since)?)?),
                doc: concat!($($field_doc, "\n"),*),
            }),*];
        }
        impl $name {
            /// The description of this type.
            pub const TABLE: $crate::table::RecordTable = $crate::table::RecordTable {
                name: <Self as $crate::table::Record>::NAME,
                doc: <Self as $crate::table::Record>::DOC,
                fields: <Self as $crate::table::Record>::FIELDS,
            };
        }
        $crate::table::reflect!($name, <Self as $crate::table::Record>::FIELDS, [$($field,)*]);
    };
}

/// Declares an enumeration. Its numbers are part of the interface.
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
            /// Every value, in the order of the numbers.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
            /// The description of this type.
            pub const TABLE: $crate::table::EnumerationTable = $crate::table::EnumerationTable {
                name: stringify!($name),
                doc: concat!($($doc, "\n"),*),
                variants: &[$($crate::table::Variant {
                    name: stringify!($variant),
                    number: $number,
                    doc: concat!($($variant_doc, "\n"),*),
                }),*],
            };
            /// Returns the name of the value, in camel case.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => stringify!($variant)),* }
            }
        }
        impl $crate::table::Typed for $name {
            const TYPE: $crate::table::Type = $crate::table::Type::Enum(stringify!($name));
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

/// Declares an options struct with a setter for each field. The setters of `optional` fields convert
/// their argument. Those of `optional_number` fields do not, so that they accept a literal number.
/// The fields of `default` have a default.
macro_rules! options {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            optional { $($(#[doc = $o_doc:literal])* $optional:ident : $o_type:ty),* $(,)? }
            $(optional_number { $($(#[doc = $n_doc:literal])* $number:ident : $n_type:ty),* $(,)? })?
            default { $($(#[doc = $d_doc:literal])* $field:ident : $d_type:ty = $default:expr),* $(,)? }
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[doc = $o_doc])* pub $optional: Option<$o_type>,)*
            $($($(#[doc = $n_doc])* pub $number: Option<$n_type>,)*)?
            $($(#[doc = $d_doc])* pub $field: $d_type,)*
        }
        impl Default for $name {
            fn default() -> Self { $name { $($optional: None,)* $($($number: None,)*)? $($field: $default),* } }
        }
        impl $name {
            /// Returns the options with every default.
            #[must_use]
            pub fn new() -> Self { Self::default() }
            $(
                $(#[doc = $o_doc])*
                #[must_use]
                pub fn $optional(mut self, $optional: impl Into<$o_type>) -> Self {
                    self.$optional = Some($optional.into());
                    self
                }
            )*
            $($(
                $(#[doc = $n_doc])*
                #[must_use]
                pub fn $number(mut self, $number: $n_type) -> Self {
                    self.$number = Some($number);
                    self
                }
            )*)?
            $(
                $(#[doc = $d_doc])*
                #[must_use]
                pub fn $field(mut self, $field: $d_type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
            /// The fields, in order; the optional ones first.
            pub const FIELDS: &'static [$crate::table::Field] = &[
                $($crate::table::Field {
                    name: stringify!($optional),
                    ty: $crate::table::Type::Optional(&<$o_type as $crate::table::Typed>::TYPE),
                    unit: $crate::table::Unit::None,
                    since: "",
                    doc: concat!($($o_doc, "\n"),*),
                },)*
                $($($crate::table::Field {
                    name: stringify!($number),
                    ty: $crate::table::Type::Optional(&<$n_type as $crate::table::Typed>::TYPE),
                    unit: $crate::table::Unit::None,
                    since: "",
                    doc: concat!($($n_doc, "\n"),*),
                },)*)?
                $($crate::table::Field {
                    name: stringify!($field),
                    ty: <$d_type as $crate::table::Typed>::TYPE,
                    unit: $crate::table::Unit::None,
                    since: "",
                    doc: concat!($($d_doc, "\n"),*),
                },)*
            ];
        }
        impl $crate::table::Typed for $name {
            const TYPE: $crate::table::Type = $crate::table::Type::Options(stringify!($name));
        }
        impl $name {
            /// The description of this type.
            pub const TABLE: $crate::table::OptionsTable = $crate::table::OptionsTable {
                name: stringify!($name),
                doc: concat!($($doc, "\n"),*),
                fields: Self::FIELDS,
                defaults: || Box::new(Self::default()),
            };
        }
        $crate::table::reflect!($name, Self::FIELDS, [$($optional,)* $($($number,)*)? $($field,)*]);
    };
}

/// Expands to one sentence with the requirements of an operation.
macro_rules! requirements {
    ($privilege:ident [$($also:literal)?] [$($since:literal $($with:literal)?)?]) => {
        concat!(
            "Requires ", $crate::table::requirements!(@ $privilege) $(, " and ", $also)?
            $(, "; Linux ", $since, " or newer" $(, ", with ", $with)?)?, "."
        )
    };
    (@ Nothing) => { "no privilege" };
    (@ NetAdmin) => { "`CAP_NET_ADMIN`" };
    (@ OwnNetAdmin) => { "`CAP_NET_ADMIN` of the process itself, which a broker does not replace" };
    (@ NetAdminForControl) => {
        "no privilege, or what `take_control` requires if `Connect::control` is set"
    };
    (@ Bpf) => { "`CAP_BPF` and `CAP_PERFMON`" };
    (@ BpfForMost) => { "no privilege for some options, `CAP_BPF` and `CAP_PERFMON` for the others" };
}

/// Declares a public function together with its row in [`OPERATIONS`](crate::OPERATIONS).
///
/// After the result, the row lists what the operation requires and which errors it reports:
/// `requires PRIVILEGE and "something else", since "5.19" with "a module", [Errors]`.
macro_rules! operation {
    (
        $(#[doc = $doc:literal])*
        $(#[doc(alias = $alias:literal)])*
        row $row:ident($($arg:ident : $ty:expr),* $(,)?) -> $result:expr,
        requires $privilege:ident $(and $also:literal)?
        $(, since $since:literal $(with $with:literal)?)?, [$($error:ident)*];
        pub fn $name:ident $($rest:tt)*
    ) => {
        $(#[doc = $doc])*
        #[doc = concat!("\n\n# Requirements\n", $crate::table::requirements!(
            $privilege [$($also)?] [$($since $($with)?)?]
        ))]
        $(#[doc(alias = $alias)])*
        pub fn $name $($rest)*
        pub(crate) const $row: $crate::table::Operation = $crate::table::Operation {
            name: stringify!($name),
            arguments: &[$((stringify!($arg), $ty)),*],
            result: $result,
            privilege: $crate::table::Privilege::$privilege,
            requires: concat!("" $(, $also)?),
            since: concat!("" $(, $since)?),
            with: concat!("" $($(, $with)?)?),
            requirements: $crate::table::requirements!(
                $privilege [$($also)?] [$($since $($with)?)?]
            ),
            errors: &[$($crate::ErrorKind::$error),*],
            doc: concat!($($doc, "\n"),*),
        };
    };
}

pub(crate) use {enumeration, operation, options, record, reflect, requirements, unit};
