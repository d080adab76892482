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

use serde_json::{Map, Value};
use subflows::address_text;
use subflows::table::{self, Record, Reflect, ReflectList};

use crate::token::Token;

/// The field that is a token, in every record that has one.
const TOKEN: &str = "token";

/// A record as an object, its fields in the table's order.
pub fn record(record: &dyn Reflect) -> Value {
    Value::Object(fields(record))
}

/// A list of records as an array.
pub fn list(list: &dyn ReflectList) -> Value {
    (0..list.len()).filter_map(|index| list.at(index)).map(record).collect()
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
        (field.name.to_owned(), value(field.name, record.get(index)))
    };
    record.fields().iter().enumerate().map(field).collect()
}

fn value(name: &str, value: table::Value<'_>) -> Value {
    match value {
        table::Value::UInt(token) if name == TOKEN => match u32::try_from(token) {
            Ok(token) => Token(token).to_string().into(),
            Err(_) => token.into(),
        },
        table::Value::UInt(number) => number.into(),
        table::Value::Bool(fact) => fact.into(),
        table::Value::Text(text) => text.into(),
        table::Value::Ip(ip) => ip.to_string().into(),
        table::Value::Address(address) => address_text::written(address).into(),
        table::Value::Duration(duration) => duration.as_secs_f64().into(),
        table::Value::Enum(name, _) => name.into(),
        table::Value::Record(inner) => record(inner),
        table::Value::List(inner) => list(inner),
        table::Value::Absent => Value::Null,
    }
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
        let text = record(&Sample).to_string();
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
