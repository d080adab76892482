//! Core's records and options as members of C structs: which type, which words.

use subflows::table::{Field, Ty, Value};
use subflows::{ENUMERATIONS, ErrorKind, OPTIONS, RECORDS};

use super::abi::Abi;
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
        members: record_members(record.fields, "", ""),
        kind: Kind::Record,
    });
    let options = OPTIONS.iter().map(|options| {
        let defaults = (options.defaults)();
        let fields = options.fields.iter().enumerate();
        Described {
            name: words::c_options(options.name),
            doc: options.doc.to_owned(),
            source: options.name,
            members: fields.flat_map(|(i, field)| option(field, &defaults.get(i))).collect(),
            kind: Kind::Options,
        }
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
fn record_members(fields: &[Field], prefix: &str, path: &str) -> Vec<Member> {
    let mut members = Vec::new();
    for field in fields {
        let (ty, is_optional) = match field.ty {
            Ty::Optional(inner) => (*inner, true),
            ty => (ty, false),
        };
        let source = format!("{path}{}", field.name);
        match ty {
            Ty::Record(name) => {
                let inner = RECORDS.iter().find(|record| record.name == name);
                let inner = inner.expect("records name records of the list").fields;
                let prefix = format!("{prefix}{}_", field.name);
                members.extend(record_members(inner, &prefix, &format!("{source}.")));
            }
            Ty::List(_) => {}
            ty => members.push(Member {
                name: format!("{prefix}{}", field.name),
                ty: scalar(ty),
                doc: sentence(field),
                source,
                is_optional,
            }),
        }
    }
    members
}

fn scalar(ty: Ty) -> CType {
    match ty {
        Ty::U8 => CType::U8,
        Ty::U16 => CType::U16,
        Ty::U32 => CType::U32,
        Ty::U64 => CType::U64,
        Ty::Bool => CType::Bool,
        Ty::Text => CType::Text,
        Ty::Name => CType::Name,
        Ty::Ip | Ty::Address => CType::Address,
        Ty::Enum(_) => CType::Number,
        other => panic!("{other:?} has no type in C yet"),
    }
}

/// What a field means, its unit, and since when the kernel tells it.
fn sentence(field: &Field) -> String {
    let mut doc = words::for_c(&words::paragraph(field.doc));
    if let Ty::Enum(name) | Ty::Optional(&Ty::Enum(name)) = field.ty {
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
fn option(field: &Field, default: &Value<'_>) -> Vec<Member> {
    let ty = match field.ty {
        Ty::Optional(inner) => *inner,
        ty => ty,
    };
    let member = |name: String, ty, doc: String| Member {
        name,
        ty,
        doc,
        source: field.name.to_owned(),
        is_optional: matches!(field.ty, Ty::Optional(_)),
    };
    let doc = sentence(field);
    let name = field.name.to_owned();
    let or_default = |zero: &str| match default {
        Value::UInt(0) | Value::Absent | Value::Bool(_) => doc.clone(),
        Value::UInt(number) => format!("{doc} 0 stands for {number}."),
        Value::Duration(span) => format!("{doc} {zero}{}.", span.as_millis()),
        _ => panic!("the default of {} has no words in C yet", field.name),
    };
    match (ty, field.ty) {
        (Ty::Duration, Ty::Optional(_)) => {
            let doc = format!("{doc} In milliseconds; 0 as if not given.");
            vec![member(format!("{name}_ms"), CType::U32, doc)]
        }
        (Ty::Duration, _) => {
            let doc = or_default("In milliseconds; 0 stands for ");
            vec![member(format!("{name}_ms"), CType::U32, doc)]
        }
        (Ty::Ip | Ty::Address, _) => vec![
            member(name.clone(), CType::AddressPointer, format!("{doc} NULL: not given.")),
            member(
                format!("{name}_length"),
                CType::Length,
                format!("The size of what `{name}` points to."),
            ),
        ],
        (Ty::Text, _) => vec![member(name, CType::Text, format!("{doc} NULL: not given."))],
        (number @ (Ty::U8 | Ty::U16 | Ty::U32), Ty::Optional(_)) => vec![
            member(name.clone(), scalar(number), doc),
            member(format!("has_{name}"), CType::Bool, format!("Whether `{name}` is given.")),
        ],
        (Ty::Bool, _) => {
            assert!(matches!(default, Value::Bool(false)), "{name}: zero must be the default");
            vec![member(name, CType::Bool, doc)]
        }
        (number, _) => vec![member(name, scalar(number), or_default(""))],
    }
}

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
    kinds.chain(variants).chain(bits).collect()
}

/// The constant of one bit of a presence word.
pub(super) fn presence(structure: &str, field: &str) -> String {
    format!("{}_HAS_{}", structure.to_shouty_snake_case(), field.to_shouty_snake_case())
}
