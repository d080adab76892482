//! What `--json` prints, as a JSON schema that is derived from core's tables.

use serde_json::{Map, Value, json};
use subflows::table::{EnumerationTable, Field, RecordTable, Type};
use subflows::{ENUMERATIONS, RECORDS, SubflowOption};

use crate::demo;
use crate::json::TOKEN;

/// What a verb prints on each line with `--json`.
enum Line {
    /// Nothing, or not JSON.
    Nothing,
    /// A record of core.
    Record(&'static str),
    /// A record with more members, or an object of its own.
    Object(fn() -> Value),
    /// A record, or the named part of it that was asked for.
    Part(&'static str, fn() -> Vec<&'static str>),
}

/// Every verb.
const VERBS: &[(&str, Line)] = &[
    ("capabilities", Line::Record("Capability")),
    ("connections", Line::Record("Connection")),
    ("connection", Line::Record("Connection")),
    ("status", Line::Record("Status")),
    ("info", Line::Record("Info")),
    ("list", Line::Object(subflow)),
    ("details", Line::Record("Details")),
    ("open", Line::Object(subflow)),
    ("close", Line::Nothing),
    ("set-backup", Line::Nothing),
    ("option", Line::Part("OptionValues", options)),
    ("raw-option", Line::Object(raw_option)),
    ("addresses", Line::Record("Address")),
    ("announce", Line::Object(announced)),
    ("events", Line::Object(event)),
    ("connect", Line::Nothing),
    ("run", Line::Nothing),
    ("endpoints", Line::Record("Endpoint")),
    ("limits", Line::Record("Limits")),
    ("settings", Line::Part("Settings", settings)),
    ("counters", Line::Record("Counter")),
    ("doctor", Line::Record("Finding")),
    ("probe", Line::Object(probed)),
    ("watch", Line::Nothing),
    ("serve-check", Line::Object(checked)),
    ("schema", Line::Nothing),
    ("broker", Line::Nothing),
    ("lab", Line::Nothing),
    ("demo", Line::Object(demonstrated)),
];

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a line that one of the verbs prints, or of a line that this verb prints. `None` if it prints no JSON.
pub fn schema(verb: Option<&str>) -> Option<Value> {
    let printing = || VERBS.iter().filter(|(_, line)| !matches!(line, Line::Nothing));
    let (title, root) = match verb {
        None => {
            let verbs = printing().map(|(name, _)| reference(&key(name)));
            ("subflows --json".to_owned(), ("anyOf", Value::Array(verbs.collect())))
        }
        Some(verb) => {
            let (name, _) = printing().find(|(name, _)| *name == verb)?;
            (format!("subflows {name} --json"), ("$ref", reference(&key(name))["$ref"].clone()))
        }
    };
    let mut definitions = Map::new();
    for (name, line) in printing().filter(|(name, _)| verb.is_none_or(|verb| verb == *name)) {
        definitions.insert(key(name), line.schema());
    }
    definitions.insert("error".to_owned(), error());
    definitions.extend(RECORDS.iter().map(|table| (table.name.to_owned(), record(table))));
    definitions
        .extend(ENUMERATIONS.iter().map(|table| (table.name.to_owned(), enumeration(table))));
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), DRAFT.into());
    schema.insert("title".to_owned(), title.into());
    schema.insert("description".to_owned(), ABOUT.into());
    schema.insert(root.0.to_owned(), root.1);
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Some(Value::Object(schema))
}

const ABOUT: &str = "An object that `subflows VERB --json` prints on a line of standard output. Later versions may \
                     add members. `#/$defs/error` is what a failure prints on standard error.";

/// The verbs that print JSON.
pub fn verbs() -> impl Iterator<Item = &'static str> {
    VERBS.iter().filter(|(_, line)| !matches!(line, Line::Nothing)).map(|(name, _)| *name)
}

fn key(verb: &str) -> String {
    format!("verb-{verb}")
}

impl Line {
    fn schema(&self) -> Value {
        match self {
            Line::Nothing => Value::Bool(false),
            Line::Record(name) => reference(name),
            Line::Object(object) => object(),
            Line::Part(name, members) => {
                let one = members().into_iter().map(|member| {
                    let any = json!({ "type": ["integer", "boolean", "string", "null"] });
                    (member.to_owned(), any)
                });
                let part = json!({
                    "type": "object",
                    "properties": one.collect::<Map<_, _>>(),
                    "minProperties": 1,
                    "maxProperties": 1,
                });
                json!({ "anyOf": [reference(name), part] })
            }
        }
    }
}

fn options() -> Vec<&'static str> {
    SubflowOption::ALL.iter().map(|option| option.key()).collect()
}

fn settings() -> Vec<&'static str> {
    fields_of("Settings").iter().map(|field| field.name).collect()
}

/// Without permission to borrow the socket, `list` knows only some of the fields.
fn subflow() -> Value {
    let details = json!({ "anyOf": [reference("Details"), { "type": "null" }] });
    let mut schema = extended("Subflow", &[("details", details)], true);
    for (_, field) in schema["properties"].as_object_mut().into_iter().flatten() {
        let mut known = field.take();
        let description = known.as_object_mut().and_then(|known| known.remove("description"));
        *field = json!({ "anyOf": [known, { "type": "null" }] });
        description.into_iter().for_each(|text| field["description"] = text);
    }
    schema
}

fn event() -> Value {
    extended("Event", &[("time", json!({ "type": "string", "format": "date-time" }))], false)
}

/// What the service answers, and what the command prints for each answer.
fn checked() -> Value {
    let text = json!({ "type": "string" });
    let subflows = json!({ "type": "array", "items": reference("Subflow") });
    object([
        ("client", text.clone()),
        ("server", text),
        ("status", reference("Status")),
        ("info", json!({ "anyOf": [reference("Info"), { "type": "null" }] })),
        ("subflows", subflows),
    ])
}

/// The report on a host, why there is none, or with `--trace` the hops on the way.
fn probed() -> Value {
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": ["integer", "null"] });
    let hop = object([
        ("hop", json!({ "type": "integer" })),
        ("address", json!({ "type": ["string", "null"] })),
        ("rtt_us", number()),
        ("mp_capable", text()),
    ]);
    let report = extended("ProbeReport", &[("host", text())], false);
    let failed = object([("host", text()), ("error", error_members())]);
    let trace = object([
        ("host", text()),
        ("remote", text()),
        ("hops", json!({ "type": "array", "items": hop })),
        ("present_until", number()),
        ("absent_from", number()),
        ("conclusion", text()),
    ]);
    json!({ "anyOf": [report, failed, trace] })
}

fn announced() -> Value {
    let made = object([("id", of(&Type::U8)), ("address", of(&Type::Address))]);
    json!({ "anyOf": [made, object([("turned_away", of(&Type::U32))])] })
}

fn raw_option() -> Value {
    object([("value", json!({ "type": "string", "pattern": "^0x([0-9a-f]{2})+$" }))])
}

fn demonstrated() -> Value {
    let text = || json!({ "type": "string" });
    let number = || of(&Type::U64);
    let list = |items| json!({ "type": "array", "items": items });
    let checksum = || json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" });
    let path = object([
        ("name", text()),
        ("id", of(&Type::U32)),
        ("local", text()),
        ("remote", text()),
        ("rate_bits_per_second", number()),
        ("delay_us", number()),
        ("bytes_received", number()),
        ("share", json!({ "type": "number", "minimum": 0, "maximum": 1 })),
        ("wire_bytes", number()),
    ]);
    let phase = object([
        ("name", text()),
        ("from_ms", number()),
        ("to_ms", number()),
        ("bits_per_second", object(demo::NAMES.map(|name| (name, number())))),
    ]);
    let step = object([("act", text()), ("at_ms", number()), ("text", text())]);
    object([
        ("bytes", number()),
        ("bytes_received", number()),
        ("duration_ms", number()),
        ("is_intact", of(&Type::Bool)),
        ("sha256_sent", checksum()),
        ("sha256_received", checksum()),
        ("chart", text()),
        ("paths", list(path)),
        ("phases", list(phase)),
        ("steps", list(step)),
    ])
}

fn error() -> Value {
    object([("error", error_members())])
}

fn error_members() -> Value {
    let kinds: Vec<_> = subflows::ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
    object([
        ("kind", json!({ "enum": kinds })),
        ("what", json!({ "type": "string" })),
        ("remedy", json!({ "type": ["string", "null"] })),
        ("errno", json!({ "type": ["integer", "null"] })),
    ])
}

/// An object that has all of these members.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let required: Vec<_> = members.iter().map(|(name, _)| *name).collect();
    let properties: Map<_, _> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn fields_of(name: &str) -> &'static [Field] {
    RECORDS.iter().find(|table| table.name == name).map_or(&[], |table| table.fields)
}

/// A record with further members, after its own or before them.
fn extended(name: &str, more: &[(&str, Value)], after: bool) -> Value {
    let mut own: Vec<_> =
        fields_of(name).iter().map(|field| (field.name.to_owned(), described(field))).collect();
    let more = more.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone()));
    let at = if after { own.len() } else { 0 };
    own.splice(at..at, more);
    let required: Vec<_> = own.iter().map(|(name, _)| name.clone()).collect();
    let properties: Map<_, _> = own.into_iter().collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn record(table: &RecordTable) -> Value {
    let mut schema = Map::new();
    schema.insert("description".to_owned(), plain(table.doc).into());
    if let Value::Object(members) = extended(table.name, &[], true) {
        schema.extend(members);
    }
    Value::Object(schema)
}

fn enumeration(table: &EnumerationTable) -> Value {
    let names: Vec<_> = table.variants.iter().map(|variant| variant.name).collect();
    json!({ "description": plain(table.doc), "enum": names })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn described(field: &Field) -> Value {
    let mut schema = match field.name {
        TOKEN => token(&field.ty),
        _ => of(&field.ty),
    };
    schema["description"] = plain(field.doc).into();
    schema
}

fn token(ty: &Type) -> Value {
    let kind = match ty {
        Type::Optional(_) => json!(["string", "null"]),
        _ => "string".into(),
    };
    json!({ "type": kind, "pattern": "^[0-9a-f]{8}$" })
}

fn of(ty: &Type) -> Value {
    let number = |most: u64| json!({ "type": "integer", "minimum": 0, "maximum": most });
    match ty {
        Type::U8 => number(u8::MAX.into()),
        Type::U16 => number(u16::MAX.into()),
        Type::U32 => number(u32::MAX.into()),
        Type::U64 => number(u64::MAX),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Duration => json!({ "type": "number", "minimum": 0 }),
        Type::OptionValue => json!({ "type": ["integer", "boolean", "string"] }),
        Type::Enum(name) | Type::Record(name) => reference(name),
        Type::Optional(inner) => json!({ "anyOf": [of(inner), { "type": "null" }] }),
        Type::List(inner) => json!({ "type": "array", "items": of(inner) }),
        Type::Text | Type::Name | Type::Ip | Type::Address => json!({ "type": "string" }),
        // Neither a field of a record nor printed.
        Type::Nothing | Type::Socket | Type::NewSocket | Type::Handle(_) | Type::Options(_) => {
            Value::Bool(false)
        }
    }
}

/// The first paragraph of a documentation, without the targets of its links.
fn plain(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default();
    let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = String::new();
    for (index, part) in words.split("](").enumerate() {
        let rest =
            if index == 0 { part } else { part.split_once(')').map_or("", |(_, rest)| rest) };
        text.push_str(rest);
    }
    text.replace("[`", "`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_line() {
        let command = crate::command();
        let known: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        for verb in &known {
            assert!(VERBS.iter().any(|(name, _)| name == verb), "{verb}");
        }
        assert_eq!(VERBS.len(), known.len());
    }

    #[test]
    fn links_become_their_text() {
        assert_eq!(plain("See [`events`](crate::events), too.\n\nMore."), "See `events`, too.");
        assert!(!schema(None).unwrap().to_string().contains("]("));
    }

    #[test]
    fn a_verb_without_json_has_no_schema() {
        assert!(schema(Some("close")).is_none() && schema(Some("frobnicate")).is_none());
        let one = schema(Some("limits")).unwrap();
        assert_eq!(one["$ref"], "#/$defs/verb-limits");
        assert_eq!(one["$defs"]["verb-limits"]["$ref"], "#/$defs/Limits");
    }
}
