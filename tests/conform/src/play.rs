//! Plays scenarios in every language, several at once.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use subflows_lab::can_make_namespaces;

use crate::driver::Driver;
use crate::language::{Language, root};
use crate::report::{Outcome, Played, Report, Stop};
use crate::scenario::{Scenario, Step, Variant};
use crate::step_error::StepError;
use crate::steps;
use crate::world::World;

/// How many variants are played at once, unless `CONFORM_AT_ONCE` is set. Most of their time is waiting.
const AT_ONCE: usize = 10;

/// How many of these take the longest variants first. Two transfers at once leave time for the
/// rest.
const LONGEST_FIRST: usize = 2;

/// A variant to play, with the indexes of its scenario and its language.
struct Job {
    scenario: usize,
    language: usize,
    variant: Variant,
}

/// Plays the scenarios whose names begin with `prefix` in these languages. Writes a line for each.
pub fn play(prefix: &str, languages: &[Language], write: &mut dyn FnMut(&str)) -> Played {
    let mut report = Report::new(write);
    if let Err(why) = can_make_namespaces() {
        report.skipped(&why.to_string());
        return report.played();
    }
    match Scenario::all(&root().join("tests/scenarios"), prefix) {
        Ok(scenarios) if scenarios.is_empty() => {
            report.failed(&format!("no scenario has a name that begins with {prefix}"));
        }
        Ok(scenarios) => play_all(&scenarios, languages, &mut report),
        Err(why) => report.failed(&why),
    }
    report.played()
}

/// Reports each scenario in a language as soon as all its variants have been played.
fn play_all(scenarios: &[Scenario], languages: &[Language], report: &mut Report<'_>) {
    let jobs = jobs(scenarios, languages);
    let mut expected = vec![0; scenarios.len() * languages.len()];
    let index = |job: &Job| job.scenario * languages.len() + job.language;
    jobs.iter().for_each(|job| expected[index(job)] += 1);
    for (index, _) in expected.iter().enumerate().filter(|(_, count)| **count == 0) {
        let (scenario, language) = (index / languages.len(), index % languages.len());
        report.needs_v6(&scenarios[scenario], &languages[language]);
    }
    let mut outcomes: Vec<Vec<Outcome>> = expected.iter().map(|_| Vec::new()).collect();
    let jobs = &Mutex::new(jobs);
    let at_once = std::env::var("CONFORM_AT_ONCE").ok().and_then(|at_once| at_once.parse().ok());
    thread::scope(|scope| {
        let (sender, played) = channel();
        for worker in 0..at_once.unwrap_or(AT_ONCE) {
            let sender = sender.clone();
            let next = move || {
                let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
                if worker < LONGEST_FIRST { jobs.pop_front() } else { jobs.pop_back() }
            };
            scope.spawn(move || {
                while let Some(job) = next() {
                    let language = &languages[job.language];
                    let outcome = play_one(&scenarios[job.scenario], &job.variant, language);
                    let _ = sender.send((index(&job), outcome));
                }
            });
        }
        drop(sender);
        for (index, outcome) in played {
            outcomes[index].push(outcome);
            if outcomes[index].len() == expected[index] {
                let (scenario, language) = (index / languages.len(), index % languages.len());
                report.scenario(&scenarios[scenario], &languages[language], &outcomes[index]);
            }
        }
    });
    for language in languages {
        let idle = std::mem::take(&mut *language.idle());
        if let Err(why) = idle.into_iter().try_for_each(Driver::finish) {
            report.failed(&format!("{}: {why}", language.name));
        }
    }
}

/// The variants of all scenarios in all languages, those that take longest first: transfers, then
/// the variants with the most steps.
fn jobs(scenarios: &[Scenario], languages: &[Language]) -> VecDeque<Job> {
    let only_v4 = std::env::var_os("CONFORM_IPV4_ONLY").is_some();
    let mut jobs = Vec::new();
    for (scenario, read) in scenarios.iter().enumerate() {
        for language in 0..languages.len() {
            let variants = read.variants().into_iter();
            let variants = variants.filter(|variant| !only_v4 || !variant.needs_v6());
            jobs.extend(variants.map(|variant| Job { scenario, language, variant }));
        }
    }
    jobs.sort_by_key(|job| {
        let transfers = job.variant.steps.iter().filter(|step| step.text.contains("sends"));
        std::cmp::Reverse((transfers.count(), job.variant.steps.len()))
    });
    jobs.into()
}

fn play_one(scenario: &Scenario, variant: &Variant, language: &Language) -> Outcome {
    let start = Instant::now();
    let stop = play_steps(scenario, variant, language);
    Outcome { stop, elapsed: start.elapsed() }
}

/// Plays the steps up to the first that fails.
fn play_steps(scenario: &Scenario, variant: &Variant, language: &Language) -> Option<Stop> {
    let mut world = World::new(language);
    let end = Step { line: 0, text: "the drivers exit".to_owned() };
    for step in variant.steps.iter().chain([&end]) {
        // The lab reports what it cannot do by a panic.
        let perform = AssertUnwindSafe(|| match step.line {
            0 => world.finish(),
            _ => steps::perform(&mut world, step),
        });
        let result = panic::catch_unwind(perform);
        let result = result.unwrap_or_else(|panic| Err(StepError::Failed(message(&*panic))));
        if let Err(error) = result {
            return Some(Stop::at(step, scenario, variant, &mut world, error));
        }
    }
    None
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}
