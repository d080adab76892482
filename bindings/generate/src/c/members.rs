//! Core's records and options as members of C structs: which type, which words.

use subflows::table::{Field, RecordTable, Type};
use subflows::{ENUMERATIONS, ErrorKind, OPTIONS, RECORDS};

use super::abi::Abi;
use crate::signature::{self, Default, Held, Keyword, Scalar};
use crate::words;
use heck::ToShoutySnakeCase;

/// The types that members of our structs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CType {
    U8,
    U16,
    U32,
    U64,
    /// The number of an enumeration.
    Number,
    Bool,
    /// `struct sockaddr_storage`.
    Address,
    /// 16 characters, the last a zero.
    Name,
    /// `const char *`.
    Text,
    /// `const struct sockaddr *`.
    AddressPointer,
    /// `socklen_t`.
    Length,
}

impl CType {
    const ALL: [(CType, &'static str, &'static str, usize, usize); 11] = [
        (CType::U8, "uint8_t", "u8", 1, 1),
        (CType::U16, "uint16_t", "u16", 2, 2),
        (CType::U32, "uint32_t", "u32", 4, 4),
        (CType::U64, "uint64_t", "u64", 8, 8),
        (CType::Number, "int32_t", "i32", 4, 4),
        (CType::Bool, "bool", "Flag", 1, 1),
        (CType::Address, "sockaddr_storage", "sockaddr_storage", 128, 8),
        (CType::Name, "char[16]", "[c_char; 16]", 16, 1),
        (CType::Text, "char*", "*const c_char", 8, 8),
        (CType::AddressPointer, "sockaddr*", "*const sockaddr", 8, 8),
        (CType::Length, "socklen_t", "socklen_t", 4, 4),
    ];

    fn row(self) -> (CType, &'static str, &'static str, usize, usize) {
        // Every type has its row, in order.
        CType::ALL[self as usize]
    }

    /// As the list of the interface spells it.
    pub(super) fn listed(self) -> &'static str {
        self.row().1
    }

    /// As the mirror in Rust spells it.
    pub(super) fn rust(self) -> &'static str {
        self.row().2
    }

    pub(super) fn size(self) -> usize {
        self.row().3
    }

    pub(super) fn align(self) -> usize {
        self.row().4
    }
}

/// One member of a C struct.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) ty: CType,
    pub(super) doc: String,
    /// Where its value is in core's record: `info.token`.
    pub(super) source: String,
    /// The kernel may not give it: it has a bit in the presence word.
    pub(super) is_optional: bool,
}

/// A C struct, before it has a layout.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) doc: String,
    /// The type in core.
    pub(super) source: &'static str,
    pub(super) members: Vec<Member>,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Record,
    Options,
    /// Its values come from nowhere in core's tables.
    Error,
}

/// Every struct of the interface.
pub(super) fn all() -> Vec<Described> {
    let records = RECORDS.iter().map(|record| Described {
        name: words::c_record(record.name),
        doc: record.doc.to_owned(),
        source: record.name,
        members: record_members(record, "", ""),
        kind: Kind::Record,
    });
    let options = OPTIONS.iter().map(|table| Described {
        name: words::c_options(table.name),
        doc: table.doc.to_owned(),
        source: table.name,
        members: table.fields.iter().zip(signature::options(table)).flat_map(option).collect(),
        kind: Kind::Options,
    });
    records.chain(options).chain([error()]).collect()
}

/// What a C program learns of a failure, where other languages have an exception.
fn error() -> Described {
    let member = |(name, ty, doc): (&str, CType, &str)| Member {
        name: name.to_owned(),
        ty,
        doc: doc.to_owned(),
        source: name.to_owned(),
        is_optional: false,
    };
    let members = [
        ("operation", CType::Text, "The call that failed, without its prefix: \"open\"."),
        ("message", CType::Text, "What happened and why, in one sentence."),
        ("remedy", CType::Text, "What to do about it, in one sentence."),
        ("detail", CType::Text, "What exactly was wrong, where more is known; or NULL."),
        ("kernel_text", CType::Text, "The kernel's own words, which change; or NULL."),
        ("kind", CType::Number, "What kind it is: an enum subflows_error_kind, positive."),
        ("number", CType::Number, "The kernel's number, as in errno; 0 where it gave none."),
    ];
    Described {
        name: "subflows_error".to_owned(),
        doc: "What failed last in this thread. The texts stay until the next failure in it."
            .to_owned(),
        source: "Error",
        members: members.map(member).to_vec(),
        kind: Kind::Error,
    }
}

/// The members of a record; one inside it is flattened, with its name before each field. Lists are
/// asked for by a function of their own.
fn record_members(record: &RecordTable, prefix: &str, path: &str) -> Vec<Member> {
    let mut members = Vec::new();
    for signature::Member { field, held, is_optional } in signature::members(record) {
        let source = format!("{path}{}", field.name);
        match held {
            Held::Record(inner) => {
                let prefix = format!("{prefix}{}_", field.name);
                members.extend(record_members(inner, &prefix, &format!("{source}.")));
            }
            Held::List(_) => {}
            Held::Value(scalar) => members.push(Member {
                name: format!("{prefix}{}", field.name),
                ty: value(scalar),
                doc: sentence(field),
                source,
                is_optional,
            }),
        }
    }
    members
}

fn value(scalar: Scalar) -> CType {
    match scalar {
        Scalar::U8 => CType::U8,
        Scalar::U16 => CType::U16,
        Scalar::U32 => CType::U32,
        Scalar::U64 | Scalar::Duration => CType::U64,
        Scalar::Bool => CType::Bool,
        Scalar::Text => CType::Text,
        Scalar::Name => CType::Name,
        Scalar::Ip | Scalar::Address => CType::Address,
        Scalar::Enum(_) => CType::Number,
    }
}

/// What a field means, its unit, and since when the kernel tells it.
fn sentence(field: &Field) -> String {
    let mut doc = words::for_c(&words::paragraph(field.doc));
    if let Type::Enum(name) | Type::Optional(&Type::Enum(name)) = field.ty {
        doc += &format!(" An enum {}.", words::c_record(name));
    }
    if let Some(unit) = words::unit(field.unit) {
        doc += &format!(" In {unit}.");
    }
    if !field.since.is_empty() {
        doc += &format!(" Since Linux {}.", field.since);
    }
    doc
}

/// The members that stand for one option. Zero is always the default, so that a struct that says
/// nothing by `{0}` is right.
fn option((field, keyword): (&Field, Keyword)) -> Vec<Member> {
    let Keyword { scalar, is_optional, default, .. } = keyword;
    let member = |name: String, ty, doc: String| Member {
        name,
        ty,
        doc,
        source: field.name.to_owned(),
        is_optional,
    };
    let doc = sentence(field);
    let name = field.name.to_owned();
    let or_default = |zero: &str| match default {
        Default::Number(0) | Default::Absent | Default::Bool(_) => doc.clone(),
        Default::Number(number) => format!("{doc} 0 stands for {number}."),
        Default::Duration(span) => format!("{doc} {zero}{}.", span.as_millis()),
    };
    match (scalar, is_optional) {
        (Scalar::Duration, true) => {
            let doc = format!("{doc} In milliseconds; 0 as if not given.");
            vec![member(format!("{name}_ms"), CType::U32, doc)]
        }
        (Scalar::Duration, false) => {
            let doc = or_default("In milliseconds; 0 stands for ");
            vec![member(format!("{name}_ms"), CType::U32, doc)]
        }
        (Scalar::Ip | Scalar::Address, _) => vec![
            member(name.clone(), CType::AddressPointer, format!("{doc} NULL: not given.")),
            member(
                format!("{name}_length"),
                CType::Length,
                format!("The size of what `{name}` points to."),
            ),
        ],
        (Scalar::Text | Scalar::Name, _) => {
            vec![member(name, CType::Text, format!("{doc} NULL: not given."))]
        }
        (Scalar::Bool, _) => {
            assert!(default == Default::Bool(false), "{name}: zero must be the default");
            vec![member(name, CType::Bool, doc)]
        }
        (Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 | Scalar::Enum(_), true) => vec![
            member(name.clone(), value(scalar), doc),
            member(format!("has_{name}"), CType::Bool, format!("Whether `{name}` is given.")),
        ],
        (Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 | Scalar::Enum(_), false) => {
            vec![member(name, value(scalar), or_default(""))]
        }
    }
}

/// Constants by the names that they had in earlier versions, and by those that they have now.
pub(super) const FORMER_NAMES: [(&str, &str); 1] =
    [("SUBFLOWS_SUBFLOW_STATE_CLOSE", "SUBFLOWS_SUBFLOW_STATE_CLOSED")];

/// Every constant of the interface with its number.
pub(super) fn constants(abi: &Abi) -> Vec<(String, i64)> {
    let kinds = ErrorKind::ALL.iter();
    let kinds = kinds.map(|kind| (words::c_kind(kind.name()), i64::from(kind.code())));
    let variants = ENUMERATIONS.iter().flat_map(|enumeration| {
        let constant = |variant: &subflows::table::Variant| {
            (words::c_variant(enumeration.name, variant.name), i64::from(variant.number))
        };
        enumeration.variants.iter().map(constant)
    });
    let bits = abi.bits().map(|(structure, field, bit)| (presence(structure, field), 1i64 << bit));
    let mut constants: Vec<_> = kinds.chain(variants).chain(bits).collect();
    for (former, name) in FORMER_NAMES {
        let number = constants.iter().find(|(known, _)| known == name).map(|(_, number)| *number);
        constants.extend(number.map(|number| (former.to_owned(), number)));
    }
    constants
}

/// The constant of one bit of a presence word.
pub(super) fn presence(structure: &str, field: &str) -> String {
    format!("{}_HAS_{}", structure.to_shouty_snake_case(), field.to_shouty_snake_case())
}
