//! `subflows capabilities`

use clap::Args;
use subflows::Capability;

use crate::failure::Failure;
use crate::json;
use crate::output::Output;
use crate::table::{Align, BAD, Cell, FAINT, GOOD, Table};

/// Tell what this kernel and this process can do, and what helps where they cannot
///
/// What is missing is no error of this verb: it ends with 0 whenever it could tell.
#[derive(Args, Debug)]
pub(crate) struct Capabilities {}

impl Capabilities {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let capabilities = subflows::capabilities()?;
        if out.is_json() {
            return Ok(out.json(&json::list(&capabilities))?);
        }
        Ok(out.table(&table(&capabilities))?)
    }
}

fn table(capabilities: &[Capability]) -> Table {
    let mut table = Table::new([
        ("CAPABILITY", Align::Left),
        ("HERE", Align::Left),
        ("WHAT FOR, AND WHY NOT", Align::Left),
    ]);
    for capability in capabilities {
        let here = match capability.is_available {
            true => Cell::styled("yes", GOOD),
            false => Cell::styled("no", BAD),
        };
        table.row([capability.name.as_str().into(), here, capability.purpose.as_str().into()]);
        let why = [("because", &capability.cause), ("remedy", &capability.remedy)];
        for (word, text) in why.into_iter().filter_map(|(word, text)| Some((word, text.as_ref()?)))
        {
            table.row(["".into(), "".into(), Cell::styled(format!("{word}: {text}"), FAINT)]);
        }
    }
    table
}
