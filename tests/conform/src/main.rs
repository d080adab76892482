//! `cargo conform [scenario] [language]`

use std::process::ExitCode;

use subflows_conform::language::{LANGUAGES, Language};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (prefix, language) = match &arguments[..] {
        [] => ("", None),
        // A language alone, or a scenario alone.
        [one] if LANGUAGES.iter().any(|(name, _)| name == one) => ("", Some(one.as_str())),
        [one] if one == "all" => ("", None),
        [one] if !one.starts_with('-') => (one.as_str(), None),
        [one, two] => (one.as_str(), Some(two.as_str())),
        _ => {
            eprintln!("usage: cargo conform [SCENARIO] [LANGUAGE]");
            return ExitCode::from(2);
        }
    };
    // Drivers are built as whoever we are; networks are made as root, if only of our own.
    for (name, _) in LANGUAGES.iter().filter(|(name, _)| language.is_none_or(|one| one == *name)) {
        drop(Language::build(name));
    }
    if let Err(why) = subflows_lab::become_root_in_user_namespace() {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    // What judges panics with the whole reason, which is in the report.
    std::panic::set_hook(Box::new(|_| {}));
    let played = subflows_conform::play(prefix, language, &mut |line| println!("{line}"));
    println!("{} passed, {} failed, {} skipped", played.passed, played.failed, played.skipped);
    if played.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
