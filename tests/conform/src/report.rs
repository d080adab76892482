//! Plays everything, and says how it went.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use subflows_lab::can_make_namespaces;

use crate::language::{LANGUAGES, Language, root};
use crate::scenario::{Scenario, Step, Variant};
use crate::stage::Stage;
use crate::steps;
use crate::trouble::Trouble;

/// How many variants are played at once.
const AT_ONCE: usize = 6;

/// How it went, in numbers of scenarios.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// All that could be tried does hold.
    pub passed: usize,
    /// Something does not hold.
    pub failed: usize,
    /// Nothing, or not everything, could be tried.
    pub skipped: usize,
}

/// How one variant went.
struct Outcome {
    scenario: usize,
    /// The step that it ended with, and why.
    end: Option<(String, Trouble)>,
    elapsed: Duration,
}

/// Plays the scenarios whose name begins with that, in one language or in all, and tells a line of
/// each.
pub fn play(prefix: &str, language: Option<&str>, tell: &mut dyn FnMut(&str)) -> Played {
    let mut all = Played::default();
    if let Err(why) = can_make_namespaces() {
        tell(&format!("skipped: {why}"));
        all.skipped += 1;
        return all;
    }
    let scenarios = match Scenario::all(&root().join("tests/scenarios"), prefix) {
        Ok(scenarios) => scenarios,
        Err(why) => {
            tell(&format!("FAILED {why}"));
            all.failed += 1;
            return all;
        }
    };
    if scenarios.is_empty() {
        tell(&format!("FAILED no scenario's name begins with {prefix}"));
        all.failed += 1;
    }
    for (name, _) in LANGUAGES.iter().filter(|(name, _)| language.is_none_or(|one| one == *name)) {
        match Language::build(name) {
            Ok(language) => all.add(play_in(&scenarios, &language, tell)),
            Err(why) => {
                tell(&format!("FAILED {name}: {why}"));
                all.failed += 1;
            }
        }
    }
    all
}

impl Played {
    fn add(&mut self, other: Played) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

fn play_in(scenarios: &[Scenario], language: &Language, tell: &mut dyn FnMut(&str)) -> Played {
    let only_v4 = std::env::var_os("CONFORM_IPV4_ONLY").is_some();
    let each = scenarios.iter().enumerate().flat_map(|(place, scenario)| {
        scenario.variants().into_iter().map(move |variant| (place, variant))
    });
    let variants: Vec<(usize, Variant)> =
        each.filter(|(_, variant)| !only_v4 || !variant.needs_v6()).collect();
    let (next, outcomes) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(variants.len()) {
            scope.spawn(|| {
                while let Some((place, variant)) =
                    variants.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let outcome = play_one(*place, &scenarios[*place], variant, language);
                    outcomes.lock().unwrap_or_else(|poison| poison.into_inner()).push(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(|poison| poison.into_inner());
    let mut played = Played::default();
    for (place, scenario) in scenarios.iter().enumerate() {
        let own: Vec<_> = outcomes.iter().filter(|one| one.scenario == place).collect();
        played.add(told(scenario, language, &own, tell));
    }
    played
}

/// One line for a scenario, and a paragraph for each variant of it that failed.
fn told(
    scenario: &Scenario,
    language: &Language,
    outcomes: &[&Outcome],
    tell: &mut dyn FnMut(&str),
) -> Played {
    let (name, count) = (&scenario.name, outcomes.len());
    if outcomes.is_empty() {
        tell(&format!("skipped: {name} {}: it needs IPv6", language.name));
        return Played { skipped: 1, ..Played::default() };
    }
    let seconds: f64 = outcomes.iter().map(|outcome| outcome.elapsed.as_secs_f64()).sum();
    let ends = || outcomes.iter().filter_map(|outcome| outcome.end.as_ref());
    let has_failed = |trouble: &Trouble| matches!(trouble, Trouble::Failed(_));
    for (text, _) in ends().filter(|(_, trouble)| has_failed(trouble)) {
        tell(&format!("FAILED {name} {}: {text}", language.name));
        tell(&format!("    broken: {}", scenario.broken));
    }
    let mut skips: Vec<_> = ends().filter(|(_, trouble)| !has_failed(trouble)).collect();
    skips.sort_by(|(a, _), (b, _)| a.cmp(b));
    skips.dedup_by(|(_, a), (_, b)| a == b);
    for (text, _) in &skips {
        tell(&format!("skipped: {name} {}: {text}", language.name));
    }
    let failed = ends().filter(|(_, trouble)| has_failed(trouble)).count();
    if failed > 0 {
        tell(&format!("FAILED {name} {}: {failed} of {count}", language.name));
        Played { failed: 1, ..Played::default() }
    } else if !skips.is_empty() {
        Played { skipped: 1, ..Played::default() }
    } else {
        tell(&format!("ok     {name} {} ({count} variants, {seconds:.1} s)", language.name));
        Played { passed: 1, ..Played::default() }
    }
}

fn play_one(place: usize, scenario: &Scenario, variant: &Variant, language: &Language) -> Outcome {
    let start = Instant::now();
    let end = play_steps(scenario, variant, language);
    Outcome { scenario: place, end, elapsed: start.elapsed() }
}

/// The step at which it ended before its time, and why.
fn play_steps(
    scenario: &Scenario,
    variant: &Variant,
    language: &Language,
) -> Option<(String, Trouble)> {
    let mut stage = Stage::new(language);
    let end = Step { line: 0, text: "the drivers end".to_owned() };
    for step in variant.steps.iter().chain([&end]) {
        // What judges says what it cannot do by a panic.
        let act = AssertUnwindSafe(|| match step.line {
            0 => stage.finish(),
            _ => steps::perform(&mut stage, step),
        });
        let result = panic::catch_unwind(act);
        let result = result.unwrap_or_else(|panic| Err(Trouble::Failed(said(&*panic))));
        let Err(trouble) = result else { continue };
        let title = if variant.title.is_empty() { "" } else { &format!(" ({})", variant.title) };
        let place = at(&scenario.path, step.line);
        let mut text = format!("{place}{title}: {}\n", step.text);
        if let Trouble::NotOffered(_) | Trouble::Skipped(_) = trouble {
            return Some((format!("{trouble} (from {place} on)"), trouble));
        }
        if let Some((asked, came)) = &stage.last {
            text.push_str(&format!("    asked:  {asked}\n    came:   {came}\n"));
        }
        text.push_str(&format!("    why:    {trouble}"));
        text.push_str(&stage.complaints().replace('\n', "\n    "));
        return Some((text, trouble));
    }
    None
}

fn at(path: &Path, line: usize) -> String {
    format!("{}:{line}", path.display())
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
