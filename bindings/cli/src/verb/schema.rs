//! `subflows schema [VERB]`

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::failure::Failure;
use crate::output::Output;
use crate::schema;

/// Print the JSON schema of what a verb prints with --json
///
/// It describes one object, which is one line of the output: the records of the library, with the names and the
/// meaning of their fields. Without VERB, it describes a line of any verb. The schema also has the object that a
/// failure prints on standard error, as `error`. JSON Schema 2020-12.
#[derive(Args, Debug)]
pub(crate) struct Schema {
    /// The verb whose output is described
    #[arg(value_parser = PossibleValuesParser::new(schema::verbs()))]
    verb: Option<String>,
}

impl Schema {
    pub(super) fn run(&self, out: &mut Output) -> Result<(), Failure> {
        let schema = schema::schema(self.verb.as_deref()).unwrap_or_default();
        if out.is_json() {
            Ok(out.object(&schema)?)
        } else {
            Ok(out.line(format_args!("{schema:#}"))?)
        }
    }
}
