//! Answers: `ok key=value ...`, or `err Kind errno`.

use std::fmt;
use std::io;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use subflows::table::{Reflect, ReflectList, Value};

use crate::request::Request;

/// Characters that are written as `%XX`.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// The result of a request.
pub type Answer = Result<Fields, Fault>;

/// The fields of an answer.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Without a field.
    pub fn new() -> Fields {
        Fields::default()
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Fields {
        self.add(name, value);
        self
    }

    /// Adds a field.
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

/// An error, as the protocol writes it.
#[derive(Debug)]
pub struct Fault {
    kind: String,
    errno: i32,
    pub(crate) remedy: String,
}

impl Fault {
    /// An error of this kind.
    pub fn new(kind: &str, errno: i32, remedy: &str) -> Fault {
        Fault { kind: kind.to_owned(), errno, remedy: remedy.to_owned() }
    }

    /// A request that the driver does not understand. The reason goes to standard error.
    pub fn protocol(text: impl fmt::Display) -> Fault {
        eprintln!("{text}");
        Fault::new("Protocol", 0, "")
    }

    /// A verb that no table contains.
    pub fn unknown_verb(request: &Request) -> Fault {
        Fault::protocol(format!("unknown verb {}", request.verb()))
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

/// No fields, if the call succeeded.
pub(crate) fn done(result: subflows::Result<()>) -> Answer {
    Ok(result.map(|()| Fields::new())?)
}

/// The fields of a record, without the absent ones.
pub fn record(record: &dyn Reflect) -> Answer {
    let mut fields = Fields::new();
    add(&mut fields, "", record);
    Ok(fields)
}

/// The number of records, then the fields of each after its index.
pub fn list(list: &dyn ReflectList) -> Answer {
    let mut fields = Fields::new();
    add_list(&mut fields, "", list);
    Ok(fields)
}

fn add(fields: &mut Fields, prefix: &str, record: &dyn Reflect) {
    for (index, field) in record.fields().iter().enumerate() {
        let name = format!("{prefix}{}", field.name);
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

fn add_list(fields: &mut Fields, prefix: &str, list: &dyn ReflectList) {
    fields.add(&format!("{prefix}count"), list.len());
    for index in 0..list.len() {
        if let Some(item) = list.at(index) {
            add(fields, &format!("{prefix}{index}."), item);
        }
    }
}
