//! A record for people: a line for each field, with its unit.

use std::time::Duration;

use subflows::address_text;
use subflows::table::{Field, Reflect, Unit, Value};

use crate::borrow_socket::harmless;
use crate::row::nothing;
use crate::table::{Align, Cell, Table};
use crate::token::Token;
use crate::units;

/// The fields of a record, one below the other. Those of a record inside it follow under its name, with a dot.
pub(crate) fn record(record: &dyn Reflect) -> Table {
    let mut table = Table::new([("FIELD", Align::Left), ("VALUE", Align::Left)]);
    add(&mut table, "", record);
    table
}

fn add(table: &mut Table, prefix: &str, record: &dyn Reflect) {
    for (index, field) in record.fields().iter().enumerate() {
        match record.get(index) {
            Value::Record(inner) => add(table, &format!("{prefix}{}.", field.name), inner),
            Value::List(_) => {}
            Value::Absent => table.row([name(prefix, field), nothing()]),
            value => table.row([name(prefix, field), text(field, value).into()]),
        }
    }
}

/// The name without its unit, which the value has.
fn name(prefix: &str, field: &Field) -> Cell<'static> {
    let unit = match field.unit {
        Unit::Microseconds => "_us",
        Unit::Milliseconds => "_ms",
        _ => "",
    };
    format!("{prefix}{}", field.name.strip_suffix(unit).unwrap_or(field.name)).into()
}

fn text(field: &Field, value: Value<'_>) -> String {
    match value {
        Value::UInt(number) => match field.unit {
            Unit::Bytes => units::bytes(number),
            Unit::BytesPerSecond => format!("{}/s", units::bytes(number)),
            Unit::Microseconds => units::microseconds(number),
            Unit::Milliseconds => units::duration(Duration::from_millis(number)),
            Unit::Segments => format!("{number} segments"),
            Unit::None => match (field.name, u32::try_from(number)) {
                ("token", Ok(token)) => Token(token).to_string(),
                _ => number.to_string(),
            },
        },
        Value::Bool(fact) => if fact { "yes" } else { "no" }.to_owned(),
        Value::Text(text) => harmless(text),
        Value::Ip(ip) => ip.to_string(),
        Value::Address(address) => address_text::written(address),
        Value::Duration(duration) => units::duration(duration),
        Value::Enum(name, _) => name.to_owned(),
        Value::Record(_) | Value::List(_) | Value::Absent => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use subflows::{Connect, Listen};

    use super::*;

    #[test]
    fn values_have_units_and_unknown_ones_a_dash() {
        let server = subflows::listen("127.0.0.1:0", &Listen::new()).unwrap();
        let client = subflows::connect(server.local_addr().unwrap(), &Connect::new()).unwrap();
        let token = subflows::status(&client).unwrap().token.unwrap();
        let mut connection = subflows::connection(token).unwrap();
        connection.send_queue = 1500;
        connection.info.last_data_sent_ms = Some(1250);
        connection.info.retransmits = None;
        let mut text = Vec::new();
        record(&connection).print(&mut text, false).unwrap();
        let text = String::from_utf8(text).unwrap();
        let shows = |name: &str, value: &str| {
            let line = text.lines().find(|line| line.split_whitespace().next() == Some(name));
            line.is_some_and(|line| line.ends_with(&format!(" {value}")))
        };
        assert!(shows("token", &Token(token).to_string()), "{text}");
        assert!(shows("send_queue", "1.5 kB"), "{text}");
        assert!(shows("is_fallen_back", "no"), "{text}");
        assert!(shows("info.last_data_sent", "1.25 s"), "{text}");
        assert!(shows("info.retransmits", "-"), "{text}");
    }
}
