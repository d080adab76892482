//! `subflows settings [NAME [VALUE]]`

use clap::Args;
use serde_json::{Value, json};
use subflows::table::{self, Record, Reflect};
use subflows::{ErrorKind, OptionValue};

use crate::failure::Failure;
use crate::json;
use crate::output::Output;
use crate::table::{Align, Table};

/// Show or set the settings of Multipath TCP: net.mptcp.*
///
/// They belong to this network namespace. Without NAME, shows all settings that this kernel has. With VALUE,
/// sets one, which requires CAP_NET_ADMIN, for sockets that are made from now on.
#[derive(Args, Debug)]
pub(crate) struct Settings {
    /// The setting, such as checksum_enabled; without one, all are shown
    name: Option<String>,
    /// The new value: a number, yes or no, or a name
    value: Option<String>,
}

impl Settings {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        // With or without the prefix that sysctl(8) requires.
        let name = self.name.as_deref();
        let name =
            name.map(|name| name.strip_prefix("net.mptcp.").unwrap_or(name).replace('-', "_"));
        match (name, &self.value) {
            (Some(name), Some(value)) => {
                subflows::set_setting(&name, OptionValue::parse(value))?;
                out.done(format_args!("net.mptcp.{name} is set"))
            }
            (Some(name), None) => one(&name, out),
            (None, _) => {
                let settings = subflows::settings()?;
                if out.is_json() {
                    out.record(&settings)
                } else {
                    Ok(out.table(&table(&settings))?)
                }
            }
        }
    }
}

fn one(name: &str, out: &mut Output) -> Result<(), Failure> {
    let mut names = subflows::Settings::FIELDS.iter().map(|field| field.name);
    if !names.clone().any(|known| known == name) {
        let text = format!("settings: {name:?} is not a setting");
        let all: Vec<_> = names.by_ref().collect();
        return Err(Failure::new(ErrorKind::InvalidArgument, text)
            .remedy(format!("The settings are: {}.", all.join(", "))));
    }
    let settings = subflows::settings()?;
    let value = json::fields(&settings).remove(name).unwrap_or(Value::Null);
    let found = rows(&settings).find(|(known, _)| *known == name);
    let Some((_, text)) = found else {
        let text = format!("settings: this kernel has no setting net.mptcp.{name}");
        return Err(Failure::new(ErrorKind::Unsupported, text));
    };
    if out.is_json() { Ok(out.object(&json!({ name: value }))?) } else { Ok(out.line(text)?) }
}

/// The settings that this kernel has, as text.
fn rows(settings: &subflows::Settings) -> impl Iterator<Item = (&'static str, String)> {
    subflows::Settings::FIELDS.iter().enumerate().filter_map(|(index, field)| {
        let text = match settings.get(index) {
            table::Value::UInt(number) => number.to_string(),
            table::Value::Bool(on) => if on { "yes" } else { "no" }.to_owned(),
            table::Value::Text(text) => text.to_owned(),
            _ => return None,
        };
        Some((field.name, text))
    })
}

fn table(settings: &subflows::Settings) -> Table {
    let mut table =
        Table::new([("SETTING", Align::Left), ("VALUE", Align::Left), ("UNIT", Align::Left)]);
    for (name, value) in rows(settings) {
        let unit = if name.ends_with("_timeout") { "seconds" } else { "" };
        table.row([name.into(), value.into(), unit.into()]);
    }
    table
}
