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

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use subflows::address_text;
use subflows::table::{self, Record, Reflect, ReflectList};

use crate::token::Token;

/// The field that is a token, in every record that has one.
const TOKEN: &str = "token";

/// A record that is written as an object, its fields in the table's order, without a copy in memory.
pub struct Object<'a>(pub &'a dyn Reflect);

/// A list of records that is written as an array, without a copy in memory.
pub struct Array<'a>(pub &'a dyn ReflectList);

/// A field: its name, which decides how a token is written, and its value.
struct Member<'a>(&'static str, table::Value<'a>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.fields().iter().enumerate();
        serializer.collect_map(
            fields.map(|(index, field)| (field.name, Member(field.name, self.0.get(index)))),
        )
    }
}

impl Serialize for Array<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let records = (0..self.0.len()).filter_map(|index| self.0.at(index));
        serializer.collect_seq(records.map(Object))
    }
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            table::Value::UInt(token) if self.0 == TOKEN => match u32::try_from(token) {
                Ok(token) => serializer.collect_str(&Token(token)),
                Err(_) => serializer.serialize_u64(token),
            },
            table::Value::UInt(number) => serializer.serialize_u64(number),
            table::Value::Bool(fact) => serializer.serialize_bool(fact),
            table::Value::Text(text) => serializer.serialize_str(text),
            table::Value::Ip(ip) => serializer.collect_str(&ip),
            table::Value::Address(address) => {
                serializer.serialize_str(&address_text::written(address))
            }
            table::Value::Duration(duration) => serializer.serialize_f64(duration.as_secs_f64()),
            table::Value::Enum(name, _) => serializer.serialize_str(name),
            table::Value::Record(inner) => Object(inner).serialize(serializer),
            table::Value::List(inner) => Array(inner).serialize(serializer),
            table::Value::Absent => serializer.serialize_none(),
        }
    }
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
    let field = |(index, field): (usize, &table::Field)| {
        let value = serde_json::to_value(Member(field.name, record.get(index)));
        (field.name.to_owned(), value.unwrap_or_default())
    };
    record.fields().iter().enumerate().map(field).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use subflows::table::{Field, Type, Unit};

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
                2 => table::Value::Text("wwan0"),
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
        let text = serde_json::to_string(&Object(&Sample)).unwrap();
        assert_eq!(record(&Sample).to_string(), text);
        assert_eq!(
            text,
            "{\"bytes_sent\":18446744073709551615,\"is_backup\":true,\"interface\":\"wwan0\",\
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
