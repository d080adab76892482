//! `subflows option TOKEN ID [NAME [VALUE]]`

use clap::Args;
use serde_json::{Value, json};
use subflows::table::{self, Reflect, Unit};
use subflows::{OptionValue, OptionValues, SubflowOption};

use super::OfSubflow;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::{Align, Table};

/// Show or set the options of one subflow
///
/// Without NAME, shows all options that this user may read. With VALUE, sets the option on this
/// subflow alone. Setting, and reading most options, requires CAP_BPF and CAP_PERFMON. If the
/// application sets the option on its socket later, the kernel sets it on every subflow again.
#[derive(Args, Debug)]
pub(crate) struct SetOption {
    #[command(flatten)]
    of: OfSubflow,
    /// The option, such as max_pacing_rate; without one, all are shown
    #[arg(value_parser = option)]
    name: Option<SubflowOption>,
    /// The new value: a number, yes or no, or a name
    value: Option<String>,
}

fn option(text: &str) -> Result<SubflowOption, String> {
    SubflowOption::from_key(&text.replace('-', "_")).ok_or_else(|| {
        let all: Vec<_> = SubflowOption::ALL.iter().map(|option| option.key()).collect();
        format!("the options are: {}", all.join(", "))
    })
}

impl SetOption {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let id = self.of.id;
        let (token, sock) = self.of.connection.borrow()?;
        match (self.name, &self.value) {
            (Some(option), Some(text)) => {
                subflows::set_option(&sock, id, option, OptionValue::parse(text))?;
                out.done(format_args!("{} of subflow {id} of {token} is set", option.key()))
            }
            (Some(option), None) => {
                let value = subflows::get_option(&sock, id, option)?;
                if out.is_json() {
                    Ok(out.object(&json!({ option.key(): json_of(&value) }))?)
                } else {
                    Ok(out.line(value)?)
                }
            }
            (None, _) => {
                let values = subflows::options(&sock, id)?;
                if out.is_json() { out.record(&values) } else { Ok(out.table(&table(&values))?) }
            }
        }
    }
}

fn json_of(value: &OptionValue) -> Value {
    match value {
        OptionValue::Number(number) => (*number).into(),
        OptionValue::Switch(on) => (*on).into(),
        OptionValue::Name(_) | OptionValue::Bytes(_) => value.to_string().into(),
    }
}

/// The options that could be read, by the names under which they are set.
fn table(values: &OptionValues) -> Table {
    let mut rows =
        Table::new([("OPTION", Align::Left), ("VALUE", Align::Left), ("UNIT", Align::Left)]);
    for (index, option) in SubflowOption::ALL.iter().enumerate() {
        let value = match values.get(index) {
            table::Value::UInt(number) => number.to_string(),
            table::Value::Bool(on) => if on { "yes" } else { "no" }.to_owned(),
            table::Value::Text(name) => name.to_owned(),
            _ => continue,
        };
        let unit = match (values.fields()[index].unit, option) {
            (_, SubflowOption::KeepaliveIdle | SubflowOption::KeepaliveInterval) => "seconds",
            (Unit::Bytes, _) => "bytes",
            (Unit::BytesPerSecond, _) => "bytes per second",
            (Unit::Milliseconds, _) => "milliseconds",
            _ => "",
        };
        rows.row([option.key().into(), value.into(), unit.into()]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table takes the names and the values by their place.
    #[test]
    fn the_record_has_the_options_in_their_order() {
        for (option, field) in SubflowOption::ALL.iter().zip(OptionValues::TABLE.fields) {
            assert!(field.name.starts_with(option.key()), "{}: {}", option.key(), field.name);
        }
        assert_eq!(SubflowOption::ALL.len(), OptionValues::TABLE.fields.len());
    }
}
