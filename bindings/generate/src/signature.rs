//! Operations, records and options in terms that every language has to spell.
//!
//! Core's types are sorted here, once, by where they can occur. A new type of core is one more
//! [`Scalar`], [`FieldType`], [`ParameterType`] or [`ResultType`], and no language compiles until it spells that.

use std::time::Duration;

use subflows::table::{Field, Operation, OptionsTable, RecordTable, Type, Value};
use subflows::{OPTIONS, RECORDS};

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
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
    /// A short name of the kernel.
    Name,
    /// An IP address without a port.
    Ip,
    /// An IP address and a port.
    Address,
    /// A duration.
    Duration,
    /// One of a closed list, by the enumeration's name.
    Enum(&'static str),
    /// The value of an option of a subflow. No record holds one.
    OptionValue,
}

/// The type of a record's field.
#[derive(Clone, Copy, Debug)]
pub enum FieldType {
    /// A value.
    Value(Scalar),
    /// A record.
    Record(&'static RecordTable),
    /// Any number of records.
    List(&'static RecordTable),
}

/// The type of an operation's parameter.
#[derive(Clone, Copy, Debug)]
pub enum ParameterType {
    /// A socket, borrowed for the call.
    Socket,
    /// A value.
    Value(Scalar),
    /// A switch, off unless it is given by name.
    Switch,
    /// Options, which may be left out: keywords if the language has them.
    Options(&'static OptionsTable),
}

/// The type of an operation's result.
#[derive(Clone, Copy, Debug)]
pub enum ResultType {
    /// Nothing.
    Nothing,
    /// A stream socket.
    Socket,
    /// A handle, by name.
    Handle(&'static str),
    /// A value.
    Value(Scalar),
    /// A record.
    Record(&'static RecordTable),
    /// Any number of records.
    List(&'static RecordTable),
}

/// A field of a record.
pub struct Member {
    /// Its row.
    pub field: &'static Field,
    /// Its type.
    pub ty: FieldType,
    /// The kernel may not report it.
    pub is_optional: bool,
}

/// A parameter of an operation.
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: ParameterType,
}

/// An option, or a switch: a parameter that is given by name.
pub struct Keyword {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub scalar: Scalar,
    /// Absent is one of its values.
    pub is_optional: bool,
    /// Its value if it is not given.
    pub default: Default,
    /// What it means.
    pub doc: &'static str,
}

/// The value of an option that is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// Absent.
    Absent,
    /// A number.
    Number(u64),
    /// True or false.
    Bool(bool),
    /// A duration.
    Duration(Duration),
}

/// A type with all that it refers to.
enum Kind {
    Nothing,
    Value(Scalar),
    Socket,
    NewSocket,
    Handle(&'static str),
    Record(&'static RecordTable),
    List(&'static RecordTable),
    Options(&'static OptionsTable),
    Optional(Scalar),
}

impl Kind {
    /// Without a wildcard: a new type has to be sorted in.
    fn of(ty: &Type) -> Kind {
        match ty {
            Type::Nothing => Kind::Nothing,
            Type::U8 => Kind::Value(Scalar::U8),
            Type::U16 => Kind::Value(Scalar::U16),
            Type::U32 => Kind::Value(Scalar::U32),
            Type::U64 => Kind::Value(Scalar::U64),
            Type::Bool => Kind::Value(Scalar::Bool),
            Type::Text => Kind::Value(Scalar::Text),
            Type::Name => Kind::Value(Scalar::Name),
            Type::Ip => Kind::Value(Scalar::Ip),
            Type::Address => Kind::Value(Scalar::Address),
            Type::Duration => Kind::Value(Scalar::Duration),
            Type::OptionValue => Kind::Value(Scalar::OptionValue),
            Type::Socket => Kind::Socket,
            Type::NewSocket => Kind::NewSocket,
            Type::Handle(name) => Kind::Handle(name),
            Type::Enum(name) => Kind::Value(Scalar::Enum(name)),
            Type::Record(name) => Kind::Record(record(name)),
            Type::Options(name) => Kind::Options(options_named(name)),
            Type::Optional(inner) => match Kind::of(inner) {
                Kind::Value(scalar) => Kind::Optional(scalar),
                _ => misplaced(ty, "an optional value"),
            },
            Type::List(inner) => match Kind::of(inner) {
                Kind::Record(table) => Kind::List(table),
                _ => misplaced(ty, "a list of records"),
            },
        }
    }
}

/// The value of an option occurs as an argument and as a result only.
pub fn no_place_for_values() -> ! {
    panic!("core's tables use the value of an option as a field or in options")
}

/// Core's tables contradict themselves.
fn misplaced(ty: &Type, place: &str) -> ! {
    panic!("core's tables use {ty:?} as {place}")
}

fn record(name: &str) -> &'static RecordTable {
    let found = RECORDS.iter().find(|record| record.name == name);
    found.expect("core names records of its list")
}

fn options_named(name: &str) -> &'static OptionsTable {
    let found = OPTIONS.iter().find(|options| options.name == name);
    found.expect("core names options of its list")
}

/// The fields of a record.
pub fn members(record: &RecordTable) -> Vec<Member> {
    let fields = record.fields.iter();
    let member = |field: &'static Field| {
        let (ty, is_optional) = match Kind::of(&field.ty) {
            Kind::Value(scalar) => (FieldType::Value(scalar), false),
            Kind::Optional(scalar) => (FieldType::Value(scalar), true),
            Kind::Record(table) => (FieldType::Record(table), false),
            Kind::List(table) => (FieldType::List(table), false),
            _ => misplaced(&field.ty, "a field"),
        };
        Member { field, ty, is_optional }
    };
    fields.map(member).collect()
}

/// The parameters of an operation.
pub fn parameters(operation: &Operation) -> Vec<Parameter> {
    let parameter = |(name, ty): &(&'static str, Type)| {
        let ty = match Kind::of(ty) {
            Kind::Socket => ParameterType::Socket,
            // Closing the last subflow has to be requested by name.
            Kind::Value(Scalar::Bool) if *name == "force" => ParameterType::Switch,
            Kind::Value(scalar) => ParameterType::Value(scalar),
            Kind::Options(table) => ParameterType::Options(table),
            _ => misplaced(ty, "a parameter"),
        };
        Parameter { name, ty }
    };
    operation.arguments.iter().map(parameter).collect()
}

/// What an operation returns.
pub fn result(operation: &Operation) -> ResultType {
    match Kind::of(&operation.result) {
        Kind::Nothing => ResultType::Nothing,
        Kind::NewSocket => ResultType::Socket,
        Kind::Handle(name) => ResultType::Handle(name),
        Kind::Record(table) => ResultType::Record(table),
        Kind::List(table) => ResultType::List(table),
        Kind::Value(scalar @ Scalar::OptionValue) => ResultType::Value(scalar),
        _ => misplaced(&operation.result, "a result"),
    }
}

/// Whether an operation makes a socket. Bindings resolve the name of a host that it takes.
pub fn makes_socket(operation: &Operation) -> bool {
    matches!(result(operation), ResultType::Socket)
}

/// The parameters that are given by name: options and switches, in order.
pub fn keywords(operation: &Operation) -> Vec<Keyword> {
    let of = |parameter: Parameter| match parameter.ty {
        ParameterType::Socket | ParameterType::Value(_) => Vec::new(),
        ParameterType::Switch => vec![Keyword {
            name: parameter.name,
            scalar: Scalar::Bool,
            is_optional: false,
            default: Default::Bool(false),
            doc: "Close the subflow even if it is the last one that works. The connection then has \
                  no path until another subflow is opened.",
        }],
        ParameterType::Options(table) => options(table),
    };
    parameters(operation).into_iter().flat_map(of).collect()
}

/// The mode of a listener's descriptor: a keyword of languages in which a socket has no such option of its own
/// when it is made. Core's listeners are blocking.
pub const BLOCKING: &str = "blocking";

/// The keywords of an operation, with [`BLOCKING`] for `listen`.
pub fn keywords_and_mode(operation: &Operation, default: bool) -> Vec<Keyword> {
    let mode = Keyword {
        name: BLOCKING,
        scalar: Scalar::Bool,
        is_optional: false,
        default: Default::Bool(default),
        doc: "Whether `accept` waits, also in processes that inherit the listener. If several \
              processes wait for it by select, poll or epoll, it must not: another one may have \
              accepted the client.",
    };
    let mode = (operation.name == "listen").then_some(mode);
    keywords(operation).into_iter().chain(mode).collect()
}

/// Each option.
pub fn options(table: &OptionsTable) -> Vec<Keyword> {
    let defaults = (table.defaults)();
    let keyword = |(index, field): (usize, &Field)| {
        let (scalar, is_optional) = match Kind::of(&field.ty) {
            Kind::Value(scalar) => (scalar, false),
            Kind::Optional(scalar) => (scalar, true),
            _ => misplaced(&field.ty, "an option"),
        };
        let default = match defaults.get(index) {
            Value::Absent => Default::Absent,
            Value::UInt(number) => Default::Number(number),
            Value::Bool(on) => Default::Bool(on),
            Value::Duration(span) => Default::Duration(span),
            Value::Text(_)
            | Value::Ip(_)
            | Value::Address(_)
            | Value::Enum(..)
            | Value::Record(_)
            | Value::List(_) => misplaced(&field.ty, "an option with a default"),
        };
        Keyword { name: field.name, scalar, is_optional, default, doc: field.doc }
    };
    table.fields.iter().enumerate().map(keyword).collect()
}
