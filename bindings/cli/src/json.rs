//! Core's records as JSON, by the tables in which core describes itself.
//!
//! Field names, and with them the units, are those of core. Enumerations are written by name,
//! addresses as text (`[fe80::1%eth0]:443` for a link-local one), durations in seconds; a field that this kernel does not report is `null`. A
//! token is written in hexadecimal digits, as this command and other tools accept it.
//!
//! ```
//! # fn main() -> subflows::Result<()> {
//! for capability in subflows::capabilities()? {
//!     let json = subflows_cli::json::record(&capability);
//!     assert!(json["is_available"].is_boolean());
//! }
//! # Ok(())
//! # }
//! ```

use std::ptr;
use std::rc::Rc;

use serde_json::{Map, Value};
use subflows::table::{self, Field, Record, Reflect};

use crate::token::Token;
use crate::units;

/// The field that is a token, in every record that has one.
pub(crate) const TOKEN: &str = "token";

/// Writes a record as an object, its fields in the table's order.
pub fn write(out: &mut Vec<u8>, record: &dyn Reflect) {
    Writer::default().write(out, record);
}

/// Writes records. By hand and not by a serializer, which takes twice as long for ten thousand connections: the
/// names of fields need no escapes.
#[derive(Default)]
pub(crate) struct Writer {
    /// What stands before the values of each table's fields.
    known: Vec<(&'static [Field], Rc<[String]>)>,
}

impl Writer {
    /// Writes a record as an object, its fields in the table's order.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, record: &dyn Reflect) {
        out.push(b'{');
        self.write_fields(out, record);
        out.push(b'}');
    }

    /// Writes the fields of an object that has others before them or after them.
    pub(crate) fn write_fields(&mut self, out: &mut Vec<u8>, record: &dyn Reflect) {
        let fields = record.fields();
        for (index, before) in self.before(fields).iter().enumerate() {
            out.extend_from_slice(before.as_bytes());
            self.write_value(out, fields[index].name, record.get(index));
        }
    }

    fn before(&mut self, fields: &'static [Field]) -> Rc<[String]> {
        if let Some((_, known)) = self.known.iter().find(|(known, _)| ptr::eq(*known, fields)) {
            return Rc::clone(known);
        }
        let comma = |index| if index == 0 { "" } else { "," };
        let named = fields.iter().enumerate();
        let before: Rc<[String]> =
            named.map(|(index, field)| format!("{}\"{}\":", comma(index), field.name)).collect();
        self.known.push((fields, Rc::clone(&before)));
        before
    }

    fn write_value(&mut self, out: &mut Vec<u8>, name: &str, value: table::Value<'_>) {
        match value {
            table::Value::UInt(number) => match u32::try_from(number) {
                Ok(token) if name == TOKEN => quote(out, Token(token).to_string().as_bytes()),
                _ => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            },
            table::Value::Bool(fact) => {
                out.extend_from_slice(if fact { b"true" } else { b"false" })
            }
            // A process chooses its name, and the kernel its messages.
            table::Value::Text(text) => {
                out.extend_from_slice(Value::from(text).to_string().as_bytes())
            }
            table::Value::Ip(ip) => quote(out, ip.to_string().as_bytes()),
            table::Value::Address(address) => {
                out.push(b'"');
                units::write_address(out, address);
                out.push(b'"');
            }
            table::Value::Duration(duration) => {
                out.extend_from_slice(Value::from(duration.as_secs_f64()).to_string().as_bytes());
            }
            table::Value::Enum(name, _) => quote(out, name.as_bytes()),
            table::Value::Record(inner) => self.write(out, inner),
            table::Value::List(inner) => {
                out.push(b'[');
                for (index, record) in
                    (0..inner.len()).filter_map(|index| inner.at(index)).enumerate()
                {
                    if index > 0 {
                        out.push(b',');
                    }
                    self.write(out, record);
                }
                out.push(b']');
            }
            table::Value::Absent => out.extend_from_slice(b"null"),
        }
    }
}

/// Writes a text that needs no escapes.
fn quote(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

/// A record as an object, its fields in the table's order.
pub fn record(record: &dyn Reflect) -> Value {
    Value::Object(fields(record))
}

/// A record of type `T` with the values that `other` has: all fields of `T`, and `null` for those
/// that `other` does not have.
pub fn as_far_as<T: Record>(other: &dyn Reflect) -> Map<String, Value> {
    let mut known = fields(other);
    let field = |name: &str| (name.to_owned(), known.remove(name).unwrap_or(Value::Null));
    T::FIELDS.iter().map(|described| described.name).map(field).collect()
}

/// The fields of a record, for callers that add fields.
pub fn fields(record: &dyn Reflect) -> Map<String, Value> {
    let mut text = Vec::new();
    write(&mut text, record);
    // What was just written is JSON.
    serde_json::from_slice(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use subflows::table::{Type, Unit};

    use super::*;

    /// A record with every kind of value, as core's macro would describe it.
    struct Sample;

    const FIELDS: &[Field] = &{
        const fn field(name: &'static str) -> Field {
            Field { name, ty: Type::U64, unit: Unit::None, since: "", doc: "" }
        }
        [
            field("bytes_sent"),
            field("is_backup"),
            field("interface"),
            field("ip"),
            field("local"),
            field("timeout"),
            field("state"),
            field("missing"),
            field("token"),
        ]
    };

    impl Reflect for Sample {
        fn name(&self) -> &'static str {
            "Sample"
        }
        fn fields(&self) -> &'static [Field] {
            FIELDS
        }
        fn get(&self, index: usize) -> table::Value<'_> {
            match index {
                0 => table::Value::UInt(u64::MAX),
                1 => table::Value::Bool(true),
                2 => table::Value::Text("w\"a\n"),
                3 => table::Value::Ip([192, 0, 2, 1].into()),
                4 => table::Value::Address(([192, 0, 2, 1], 443).into()),
                5 => table::Value::Duration(Duration::from_millis(1500)),
                6 => table::Value::Enum("Established", 1),
                8 => table::Value::UInt(0x4f2a),
                _ => table::Value::Absent,
            }
        }
    }

    #[test]
    fn every_kind_of_value_has_its_json() {
        let mut text = Vec::new();
        write(&mut text, &Sample);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(record(&Sample).to_string(), text);
        assert_eq!(
            text,
            "{\"bytes_sent\":18446744073709551615,\"is_backup\":true,\"interface\":\"w\\\"a\\n\",\
             \"ip\":\"192.0.2.1\",\"local\":\"192.0.2.1:443\",\"timeout\":1.5,\
             \"state\":\"Established\",\"missing\":null,\"token\":\"00004f2a\"}"
        );
    }

    #[test]
    fn a_record_made_from_another_has_all_fields() {
        let made = as_far_as::<subflows::Subflow>(&Sample);
        assert_eq!(made.len(), subflows::Subflow::FIELDS.len());
        assert_eq!(made["bytes_sent"], u64::MAX);
        assert_eq!(made["state"], "Established");
        assert!(made["id"].is_null());
        assert!(!made.contains_key("interface"));
    }
}
