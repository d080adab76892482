//! The command's manual pages and completions, and the schema of its JSON.

use anyhow::Result;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::output::Output;

const SHARE: &str = "bindings/cli/share";
const NAME: &str = "subflows";

/// `subflows(1)`, a page for each verb and each of its own verbs, completions for three shells, and the schema.
pub fn all() -> Result<Vec<Output>> {
    let mut command = subflows_cli::command();
    command.build();
    let mut outputs = Vec::new();
    for (shell, file) in [
        (Shell::Bash, "bash/subflows"),
        (Shell::Zsh, "zsh/_subflows"),
        (Shell::Fish, "fish/subflows.fish"),
    ] {
        let mut text = Vec::new();
        generate(shell, &mut command, NAME, &mut text);
        outputs.push(output(format!("completions/{file}"), text)?);
    }
    let schema = subflows_cli::schema::schema(None).unwrap_or_default();
    outputs.push(output("schema.json".to_owned(), format!("{schema:#}\n").into_bytes())?);
    pages(command, NAME.to_owned(), &mut outputs)?;
    Ok(outputs)
}

/// The page of a command, and those of its verbs, to which it refers.
fn pages(command: clap::Command, name: String, outputs: &mut Vec<Output>) -> Result<()> {
    let verbs: Vec<clap::Command> = command.get_subcommands().cloned().collect();
    outputs.push(page(command, name.clone())?);
    for verb in verbs {
        let name = format!("{name}-{}", verb.get_name());
        pages(verb, name, outputs)?;
    }
    Ok(())
}

fn page(command: clap::Command, name: String) -> Result<Output> {
    let mut text = Vec::new();
    let path = format!("man/man1/{name}.1");
    // The date would change without a reason.
    Man::new(command.display_name(&name)).title(name).date("").render(&mut text)?;
    output(path, text)
}

fn output(path: String, text: Vec<u8>) -> Result<Output> {
    Ok(Output::new(format!("{SHARE}/{path}"), String::from_utf8(text)?))
}
