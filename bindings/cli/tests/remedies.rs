//! Remedies of the library and of the command name commands of the command line, which must exist.

use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let lists = entries.map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    lists.flatten().filter(|path| path.extension().is_some_and(|end| end == "rs")).collect()
}

/// The texts between the quotation marks of a source, without its comments and tests. A text that goes on in the next
/// line is one.
fn texts(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod ").next().unwrap().replace("'\"'", "");
    let code: Vec<&str> =
        code.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect();
    let joined = code.join("\n").replace("\\\n", "").replace("\\\"", "");
    joined.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The words of a command in a text, with samples instead of placeholders, and how many of them must be part of it: as
/// many as there are up to the last option.
fn words(text: &str) -> (Vec<String>, usize) {
    let ends = [", ", "; ", ")", "`", ": ", "  ", "\n"];
    let end = ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    let words = text[..end].trim_end_matches('.').split_whitespace().map(|word| {
        let is_placeholder = word.chars().all(|letter| letter.is_ascii_uppercase());
        match word {
            "TOKEN" | "{token}" => "1f",
            "ID" | "{id}" => "1",
            "{remote}" => "192.0.2.1:443",
            "{interface}" => "eth0",
            // As in ssh_config(5).
            "%p" => "22",
            _ if is_placeholder => "sample",
            _ => word,
        }
    });
    let words: Vec<String> = words.map(str::to_owned).collect();
    let required = words.iter().rposition(|word| word.starts_with("--")).map_or(1, |at| at + 1);
    (words, required)
}

#[test]
fn every_command_in_a_remedy_exists() {
    let command = subflows_cli::command();
    let verbs: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    for path in ["../../core/src", "src"].iter().flat_map(|folder| sources(&here.join(folder))) {
        for text in texts(&fs::read_to_string(&path).unwrap()) {
            for (at, _) in text.match_indices("subflows ") {
                let (words, required) = words(&text[at..]);
                let names_verb = words.get(1).is_some_and(|word| verbs.contains(&word.as_str()));
                // Examples in the help quote words as a shell requires.
                if !names_verb || words.iter().any(|word| word.contains('\'')) {
                    continue;
                }
                let parses = |count: &usize| {
                    let parsed = command.clone().try_get_matches_from(&words[..*count]);
                    parsed.map_or_else(|error| error.kind() == ErrorKind::DisplayHelp, |_| true)
                };
                // The sentence may go on after the command, or only name the verb.
                let most = (2..=words.len()).rev().find(parses);
                let is_verb = words.len() == 2;
                assert!(
                    is_verb || most.is_some_and(|most| most >= required),
                    "{words:?} in {text}"
                );
                found += 1;
            }
        }
    }
    assert!(found > 10, "{found} commands");
}
