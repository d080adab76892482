//! Reports how the scenarios went.

use std::fmt::Write;
use std::time::Duration;

use subflows_lab::oracle;

use crate::language::Language;
use crate::scenario::{Scenario, Step, Variant};
use crate::step_error::StepError;
use crate::world::World;

/// Numbers of scenarios, each counted once per language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Every step of every variant succeeded.
    pub passed: usize,
    /// A step of a variant failed.
    pub failed: usize,
    /// A part of the scenario could not be tried.
    pub skipped: usize,
}

/// How a variant went.
pub(crate) struct Outcome {
    /// Where it stopped, unless it reached its end.
    pub(crate) stop: Option<Stop>,
    pub(crate) elapsed: Duration,
}

/// The step at which a variant stopped.
pub(crate) struct Stop {
    text: String,
    error: StepError,
}

impl Stop {
    pub(crate) fn at(
        step: &Step,
        scenario: &Scenario,
        variant: &Variant,
        world: &mut World,
        error: StepError,
    ) -> Stop {
        let place = format!("{}:{}", scenario.path.display(), step.line);
        if !matches!(error, StepError::Failed(_)) {
            return Stop { text: format!("{error} (from {place} on)"), error };
        }
        let title = if variant.title.is_empty() { "" } else { &format!(" ({})", variant.title) };
        let mut text = format!("{place}{title}: {}\n", step.text);
        if let Some(last) = &world.last {
            let _ = writeln!(text, "    request: {}\n    answer:  {}", last.request, last.answer);
        }
        let _ = write!(text, "    reason:  {error}");
        for actor in ["client", "server"] {
            if let Ok(namespace) = world.namespace(actor) {
                let _ = write!(text, "\n    nstat of the {actor}: {}", oracle::counted(namespace));
            }
        }
        text.push_str(&world.driver_errors().replace('\n', "\n    "));
        Stop { text, error }
    }

    fn is_failure(&self) -> bool {
        matches!(self.error, StepError::Failed(_))
    }
}

/// Writes lines, and counts scenarios.
pub(crate) struct Report<'a> {
    write: &'a mut dyn FnMut(&str),
    played: Played,
}

impl<'a> Report<'a> {
    pub(crate) fn new(write: &'a mut dyn FnMut(&str)) -> Report<'a> {
        Report { write, played: Played::default() }
    }

    pub(crate) fn played(&self) -> Played {
        self.played
    }

    pub(crate) fn failed(&mut self, why: &str) {
        (self.write)(&format!("FAILED {why}"));
        self.played.failed += 1;
    }

    pub(crate) fn skipped(&mut self, why: &str) {
        (self.write)(&format!("skipped: {why}"));
        self.played.skipped += 1;
    }

    pub(crate) fn needs_v6(&mut self, scenario: &Scenario, language: &Language) {
        self.skipped(&format!("{} {}: it requires IPv6", scenario.name, language.name));
    }

    /// One line for a scenario, and a paragraph for each of its variants that failed.
    pub(crate) fn scenario(
        &mut self,
        scenario: &Scenario,
        language: &Language,
        outcomes: &[Outcome],
    ) {
        let (name, language, count) = (&scenario.name, language.name, outcomes.len());
        let stops = outcomes.iter().filter_map(|outcome| outcome.stop.as_ref());
        let (failures, skips): (Vec<_>, Vec<_>) = stops.partition(|stop| stop.is_failure());
        for failure in &failures {
            (self.write)(&format!("FAILED {name} {language}: {}", failure.text));
            (self.write)(&format!("    guards against: {}", scenario.failure));
        }
        let mut reasons: Vec<_> = skips.iter().map(|stop| &stop.text).collect();
        reasons.sort();
        reasons.dedup();
        for reason in &reasons {
            (self.write)(&format!("skipped: {name} {language}: {reason}"));
        }
        if !failures.is_empty() {
            self.failed(&format!("{name} {language}: {} of {count}", failures.len()));
        } else if !skips.is_empty() {
            self.played.skipped += 1;
        } else {
            let seconds: f64 = outcomes.iter().map(|outcome| outcome.elapsed.as_secs_f64()).sum();
            (self.write)(&format!("ok     {name} {language} ({count} variants, {seconds:.1} s)"));
            self.played.passed += 1;
        }
    }
}
