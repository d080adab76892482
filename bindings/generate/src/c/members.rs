//! Core's records and options as members of C structs.

use subflows::table::{Field, RecordTable, Type};
use subflows::{OPTIONS, RECORDS};

use super::names;
use crate::signature::{self, Default, FieldType, Keyword, Scalar};
use crate::words;

/// The types of the members of C structs.
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
    /// 32 characters, the last a zero.
    CopiedWord,
    /// 256 characters, the last a zero.
    CopiedLine,
    /// 1024 characters, the last a zero.
    CopiedText,
    /// `const struct sockaddr *`.
    AddressPointer,
    /// `socklen_t`.
    Length,
}

/// How a type is spelled and laid out.
struct Shape {
    /// As the list of the interface spells it.
    listed: &'static str,
    /// As the mirror in Rust spells it.
    rust: &'static str,
    size: usize,
    align: usize,
}

impl CType {
    fn shape(self) -> Shape {
        let shape = |listed, rust, size, align| Shape { listed, rust, size, align };
        match self {
            CType::U8 => shape("uint8_t", "u8", 1, 1),
            CType::U16 => shape("uint16_t", "u16", 2, 2),
            CType::U32 => shape("uint32_t", "u32", 4, 4),
            CType::U64 => shape("uint64_t", "u64", 8, 8),
            CType::Number => shape("int32_t", "i32", 4, 4),
            CType::Bool => shape("bool", "Flag", 1, 1),
            CType::Address => shape("sockaddr_storage", "sockaddr_storage", 128, 8),
            CType::Name => shape("char[16]", "[c_char; 16]", 16, 1),
            CType::Text => shape("char*", "*const c_char", 8, 8),
            CType::CopiedWord => shape("char[32]", "[c_char; 32]", 32, 1),
            CType::CopiedLine => shape("char[256]", "[c_char; 256]", 256, 1),
            CType::CopiedText => shape("char[1024]", "[c_char; 1024]", 1024, 1),
            CType::AddressPointer => shape("sockaddr*", "*const sockaddr", 8, 8),
            CType::Length => shape("socklen_t", "socklen_t", 4, 4),
        }
    }

    pub(super) fn listed(self) -> &'static str {
        self.shape().listed
    }

    pub(super) fn rust(self) -> &'static str {
        self.shape().rust
    }

    pub(super) fn size(self) -> usize {
        self.shape().size
    }

    pub(super) fn align(self) -> usize {
        self.shape().align
    }
}

/// One member of a C struct.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) ty: CType,
    pub(super) doc: String,
    /// The path to its value in core's record: `info.token`.
    pub(super) source: String,
    /// The kernel may not report it: it has a bit in the presence word.
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
    /// Describes an error, which core's tables do not list.
    Error,
}

/// Every struct of the interface.
pub(super) fn all() -> Vec<Described> {
    let records = RECORDS.iter().map(|record| Described {
        name: names::c_record(record.name),
        doc: record.doc.to_owned(),
        source: record.name,
        members: record_members(record, "", ""),
        kind: Kind::Record,
    });
    let options = OPTIONS.iter().map(|table| Described {
        name: names::c_options(table.name),
        doc: table.doc.to_owned(),
        source: table.name,
        members: table.fields.iter().zip(signature::options(table)).flat_map(option).collect(),
        kind: Kind::Options,
    });
    records.chain(options).chain([error(), failure()]).collect()
}

/// The details of a failure, which other languages report by an exception.
fn error() -> Described {
    let members = [
        ("operation", CType::Text, "The call that failed, without its prefix: \"open\"."),
        ("message", CType::Text, "What happened and why, in one sentence."),
        ("remedy", CType::Text, "What to do about it, in one sentence."),
        ("detail", CType::Text, "What exactly was wrong; NULL if no more is known."),
        (
            "kernel_text",
            CType::Text,
            "The kernel's text, which may change in any version; or NULL.",
        ),
        (
            "kind",
            CType::Number,
            "The kind of error: a value of enum subflows_error_kind, positive.",
        ),
        ("number", CType::Number, "The kernel's error number, as in errno; 0 if there is none."),
    ];
    Described {
        name: "subflows_error".to_owned(),
        doc: "What failed last in this thread. The texts stay valid until the next failure in it."
            .to_owned(),
        source: "Error",
        members: members.map(|(name, ty, doc)| of_error(name, ty, doc, false)).to_vec(),
        kind: Kind::Error,
    }
}

/// The same, with copies of the texts.
fn failure() -> Described {
    let members = [
        (
            "kind",
            CType::Number,
            "The kind of error: a value of enum subflows_error_kind, positive. 0 if the call \
             succeeded.",
            false,
        ),
        ("number", CType::Number, "The kernel's error number, as in errno.", true),
        (
            "operation",
            CType::CopiedWord,
            "The call that failed, without its prefix: \"open\".",
            false,
        ),
        ("message", CType::CopiedText, "What happened and why, in one sentence.", false),
        ("remedy", CType::CopiedText, "What to do about it, in one sentence.", false),
        ("detail", CType::CopiedText, "What exactly was wrong.", true),
        (
            "kernel_text",
            CType::CopiedLine,
            "The kernel's text, which may change in any version.",
            true,
        ),
    ];
    Described {
        name: "subflows_failure".to_owned(),
        doc: "A failure, as the functions whose names end in `_e` report it: copies of the texts that \
              subflows_last_error() points to, which do not depend on the thread. Each text ends \
              with a zero. A longer text is cut, but never inside a character of UTF-8."
            .to_owned(),
        source: "Error",
        members: members
            .map(|(name, ty, doc, is_optional)| of_error(name, ty, doc, is_optional))
            .to_vec(),
        kind: Kind::Error,
    }
}

fn of_error(name: &str, ty: CType, doc: &str, is_optional: bool) -> Member {
    Member { name: name.to_owned(), ty, doc: doc.to_owned(), source: name.to_owned(), is_optional }
}

/// The members of a record. A record inside it is flattened, with its name before each field. A
/// list has a function of its own.
fn record_members(record: &RecordTable, prefix: &str, path: &str) -> Vec<Member> {
    let mut members = Vec::new();
    for signature::Member { field, ty, is_optional } in signature::members(record) {
        let source = format!("{path}{}", field.name);
        match ty {
            FieldType::Record(inner) => {
                let prefix = format!("{prefix}{}_", field.name);
                members.extend(record_members(inner, &prefix, &format!("{source}.")));
            }
            FieldType::List(_) => {}
            FieldType::Value(scalar) => members.push(Member {
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
        Scalar::OptionValue => signature::no_place_for_values(),
    }
}

/// What a field means, its unit, and the first Linux version that reports it.
fn sentence(field: &Field) -> String {
    let mut doc = names::for_c(&words::paragraph(field.doc));
    if let Type::Enum(name) | Type::Optional(&Type::Enum(name)) = field.ty {
        doc += &format!(" A value of enum {}.", names::c_record(name));
    }
    if let Some(unit) = words::unit(field.unit) {
        doc += &format!(" In {unit}.");
    }
    if !field.since.is_empty() {
        doc += &format!(" Since Linux {}.", field.since);
    }
    doc
}

/// The members for one option. Zero is always the default, so that `{0}` is a valid struct.
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
        Default::Number(number) => format!("{doc} 0 means {number}."),
        Default::Duration(span) => format!("{doc} {zero}{}.", span.as_millis()),
    };
    match (scalar, is_optional) {
        (Scalar::Duration, true) => {
            let doc = format!("{doc} In milliseconds; 0 if not given.");
            vec![member(format!("{name}_ms"), CType::U32, doc)]
        }
        (Scalar::Duration, false) => {
            let doc = or_default("In milliseconds; 0 means ");
            vec![member(format!("{name}_ms"), CType::U32, doc)]
        }
        (Scalar::Ip | Scalar::Address, _) => vec![
            member(name.clone(), CType::AddressPointer, format!("{doc} NULL if not given.")),
            member(
                format!("{name}_length"),
                CType::Length,
                format!("The size of the address that `{name}` points to."),
            ),
        ],
        (Scalar::Text | Scalar::Name, _) => {
            vec![member(name, CType::Text, format!("{doc} NULL if not given."))]
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
        (Scalar::OptionValue, _) => signature::no_place_for_values(),
    }
}
