//! `subflows capabilities`

use clap::Args;
use subflows::Capability;

use crate::failure::Failure;
use crate::output::Output;
use crate::table::{Align, BAD, Cell, FAINT, GOOD, Table};

/// Report what this kernel and this process can do, with a remedy for what they cannot
///
/// A missing capability is not an error: the exit status is 0.
#[derive(Args, Debug)]
pub(crate) struct Capabilities {}

impl Capabilities {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let capabilities = subflows::capabilities()?;
        if out.is_json() {
            return Ok(out.records(&capabilities)?);
        }
        Ok(out.table(&table(&capabilities))?)
    }
}

fn table(capabilities: &[Capability]) -> Table {
    let mut table = Table::new([
        ("CAPABILITY", Align::Left),
        ("AVAILABLE", Align::Left),
        ("PURPOSE, CAUSE, REMEDY", Align::Left),
    ]);
    for capability in capabilities {
        let (word, style) = if capability.is_available { ("yes", GOOD) } else { ("no", BAD) };
        let available = Cell::styled(word, style);
        table.row([capability.name.as_str().into(), available, capability.purpose.as_str().into()]);
        let why = [("cause", &capability.cause), ("remedy", &capability.remedy)];
        for (word, text) in why.into_iter().filter_map(|(word, text)| Some((word, text.as_ref()?)))
        {
            table.row(["".into(), "".into(), Cell::styled(format!("{word}: {text}"), FAINT)]);
        }
    }
    table
}
