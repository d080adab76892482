//! `cargo conform [--broker] [scenario] [language]`

use std::process::ExitCode;

use subflows_conform::language::{LANGUAGES, Language};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let by_broker = arguments.first().is_some_and(|first| first == "--broker");
    let arguments = if by_broker { &arguments[1..] } else { &arguments[..] };
    let (prefix, language) = match arguments {
        [] => ("", None),
        // A language alone, or a scenario alone.
        [one] if LANGUAGES.iter().any(|(name, _)| name == one) => ("", Some(one.as_str())),
        [one] if one == "all" => ("", None),
        [one] if !one.starts_with('-') => (one.as_str(), None),
        [one, two] => (one.as_str(), Some(two.as_str())),
        _ => {
            eprintln!("usage: cargo conform [--broker] [SCENARIO] [LANGUAGE]");
            return ExitCode::from(2);
        }
    };
    // Built before this process becomes root, so that the files belong to the user who builds.
    let names = LANGUAGES.iter().map(|(name, _)| *name);
    let names: Vec<&str> = language.map_or_else(|| names.collect(), |language| vec![language]);
    let (mut languages, mut unbuilt) = (Vec::new(), 0);
    for name in names {
        match Language::build(name) {
            Ok(language) => languages.push(language),
            Err(why) => {
                println!("FAILED {name}: {why}");
                unbuilt += 1;
            }
        }
    }
    if by_broker {
        match subflows_conform::broker::build() {
            Ok(command) => {
                let with = |language: Language| language.by_broker(command.clone());
                languages = languages.into_iter().map(with).collect();
            }
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::FAILURE;
            }
        }
    }
    if let Err(why) = subflows_lab::become_root_in_user_namespace() {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    // The report contains the messages of panics.
    std::panic::set_hook(Box::new(|_| {}));
    let played = subflows_conform::play(prefix, &languages, &mut |line| println!("{line}"));
    let failed = played.failed + unbuilt;
    println!("{} passed, {failed} failed, {} skipped", played.passed, played.skipped);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
