//! `subflows raw-option TOKEN ID LEVEL NUMBER [VALUE]`

use clap::Args;
use serde_json::json;
use subflows::OptionValue;

use super::OfSubflow;
use crate::failure::Failure;
use crate::output::Output;

/// Show or set an option of one subflow that `option` does not have, by its numbers
///
/// For options of socket(7), ip(7), ipv6(7) and tcp(7), as the kernel's headers number them. Requires CAP_BPF
/// and CAP_PERFMON.
#[derive(Args, Debug)]
pub(crate) struct RawOption {
    #[command(flatten)]
    of: OfSubflow,
    /// The level, such as 1 for SOL_SOCKET or 6 for SOL_TCP
    level: u32,
    /// The option's number, such as 36 for SO_MARK
    number: u32,
    /// The new value: 0x and the hexadecimal digits of 1 to 32 bytes, in this host's byte order; without
    /// one, the value is shown
    #[arg(value_parser = bytes)]
    value: Option<OptionValue>,
    /// How many bytes to read
    #[arg(long, value_name = "N", default_value_t = 4, conflicts_with = "value")]
    length: u32,
}

fn bytes(text: &str) -> Result<OptionValue, &'static str> {
    match OptionValue::parse(text) {
        value @ OptionValue::Bytes(_) => Ok(value),
        _ => Err("expected 0x and an even number of hexadecimal digits, such as 0x2a000000"),
    }
}

impl RawOption {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let RawOption { level, number, .. } = *self;
        let id = self.of.id;
        let (token, sock) = self.of.connection.borrow()?;
        if let Some(value) = &self.value {
            subflows::set_raw_option(&sock, id, level, number, value.clone())?;
            return out.done(format_args!("option {number} of subflow {id} of {token} is set"));
        }
        let value = subflows::get_raw_option(&sock, id, level, number, self.length)?;
        if out.is_json() {
            Ok(out.object(&json!({ "value": value.to_string() }))?)
        } else {
            Ok(out.line(value)?)
        }
    }
}
