//! One line of ours: `ok key=value ...`, or `err Kind errno`.

use std::fmt;
use std::io;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use subflows::table::{Reflect, ReflectList, Value};

/// What would end a word or a line, and what tells that something is encoded.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// What a request came to.
pub type Answer = Result<Fields, Fault>;

/// What was found out, by name.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// None.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// And one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Fields {
        self.add(name, value);
        self
    }

    /// Adds one.
    pub fn add(&mut self, name: &str, value: impl ToString) {
        self.0.push((name.to_owned(), value.to_string()));
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ok")?;
        self.0.iter().try_for_each(|(name, value)| {
            write!(f, " {name}={}", utf8_percent_encode(value, ENCODED))
        })
    }
}

/// What went wrong.
#[derive(Debug)]
pub struct Fault {
    kind: String,
    errno: i32,
    pub(crate) remedy: String,
}

impl Fault {
    /// One of this kind.
    pub fn new(kind: &str, errno: i32, remedy: &str) -> Fault {
        Fault { kind: kind.to_owned(), errno, remedy: remedy.to_owned() }
    }

    /// The runner asked what makes no sense; what that is goes to standard error.
    pub fn protocol(text: impl fmt::Display) -> Fault {
        eprintln!("{text}");
        Fault::new("Protocol", 0, "")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "err {} {}", self.kind, self.errno)
    }
}

impl From<subflows::Error> for Fault {
    fn from(error: subflows::Error) -> Fault {
        eprintln!("{error}");
        Fault::new(error.kind().name(), error.raw_os_error().unwrap_or(0), error.remedy())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        eprintln!("{error}");
        Fault::new("Os", error.raw_os_error().unwrap_or(0), "")
    }
}

impl From<nix::Error> for Fault {
    fn from(errno: nix::Error) -> Fault {
        io::Error::from(errno).into()
    }
}

/// A record as fields; what is absent is not said.
pub fn record(record: &dyn Reflect) -> Fields {
    let mut fields = Fields::new();
    add(&mut fields, "", record);
    fields
}

/// A list of records: how many, then the fields of each behind its number.
pub fn list(list: &dyn ReflectList) -> Fields {
    let mut fields = Fields::new();
    add_list(&mut fields, "", list);
    fields
}

fn add(fields: &mut Fields, before: &str, record: &dyn Reflect) {
    for (index, field) in record.fields().iter().enumerate() {
        let name = format!("{before}{}", field.name);
        match record.get(index) {
            Value::UInt(number) => fields.add(&name, number),
            Value::Bool(fact) => fields.add(&name, fact),
            Value::Text(text) => fields.add(&name, text),
            Value::Ip(ip) => fields.add(&name, ip),
            Value::Address(address) => fields.add(&name, address),
            Value::Duration(duration) => fields.add(&name, duration.as_secs_f64()),
            Value::Enum(variant, _) => fields.add(&name, variant),
            Value::Record(inner) => add(fields, &format!("{name}."), inner),
            Value::List(inner) => add_list(fields, &format!("{name}."), inner),
            _ => {}
        }
    }
}

fn add_list(fields: &mut Fields, before: &str, list: &dyn ReflectList) {
    fields.add(&format!("{before}count"), list.len());
    for index in 0..list.len() {
        if let Some(item) = list.at(index) {
            add(fields, &format!("{before}{index}."), item);
        }
    }
}
