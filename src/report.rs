//! Reports: what was found, for people and for programs.

pub mod html;
pub mod json;
pub mod junit;
pub mod merge;
pub mod mermaid;
pub mod part;
#[cfg(feature = "pocket-ic")]
pub mod replica;
pub mod sarif;
pub mod story;
pub mod text;

use crate::explore::{Completeness, Explored, Grade};
use crate::scenario::{Expect, Invariant, Scenario, When};

/// What an exploration says of its scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every invariant held in every world within the bounds, and all that should be seen was seen.
    Held,
    /// An invariant was violated, or what should be seen was not.
    Violated,
    /// Nothing was violated, and not everything was searched.
    Inconclusive,
}

impl Verdict {
    /// The verdict of a search.
    ///
    /// One of several runs that divide a search does not say what was never seen or violated: another run may see it.
    pub fn of(scenario: &Scenario, explored: &Explored) -> Verdict {
        let violated = explored.findings.iter().any(|finding| is_violation(&scenario.invariants[finding.invariant]));
        if violated {
            return Verdict::Violated;
        }
        let is_decided =
            !was_refused(explored) && explored.undecided.is_empty() && unchecked(scenario, explored).is_empty();
        match (explored.completeness, missing(scenario, explored).is_empty()) {
            (Completeness::Exhaustive, false) => Verdict::Violated,
            (Completeness::Exhaustive | Completeness::Within, true) if is_decided => Verdict::Held,
            // What was not seen within narrow bounds may lie outside them.
            _ => Verdict::Inconclusive,
        }
    }

    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Held => "held",
            Verdict::Violated => "violated",
            Verdict::Inconclusive => "inconclusive",
        }
    }
}

/// Whether calls were answered, and every one of them with an error: then nothing was exercised.
pub fn was_refused(explored: &Explored) -> bool {
    explored.shard.is_none() && explored.exercised.ok == 0 && explored.exercised.err != 0
}

/// Invariants that were evaluated in no world, by position: no world of the kind that they speak of was reached after a call,
/// so that they hold says nothing.
pub fn unchecked(scenario: &Scenario, explored: &Explored) -> Vec<usize> {
    if explored.shard.is_some() {
        return Vec::new();
    }
    // Outcomes are noted where nothing is in flight after a call.
    let was_quiet = !explored.outcomes.is_empty() || scenario.calls.is_empty() && explored.complete > 0;
    let is_evaluated = |invariant: &Invariant| match (invariant.when, invariant.oracle()) {
        (_, Some(oracle)) => was_quiet || !oracle.is_about_rest(),
        (When::Quiescent, _) => was_quiet,
        (When::Final, _) => explored.complete > 0,
        (When::Always | When::Step | When::Sometimes, _) => true,
    };
    let invariants = scenario.invariants.iter().enumerate();
    invariants.filter(|(_, invariant)| !is_evaluated(invariant)).map(|(at, _)| at).collect()
}

/// Whether a finding on this invariant counts against the scenario.
pub fn is_violation(invariant: &Invariant) -> bool {
    invariant.expect == Expect::Holds
}

/// Invariants that should have been violated or seen.
pub fn missing(scenario: &Scenario, explored: &Explored) -> Vec<usize> {
    if explored.shard.is_some() {
        return Vec::new();
    }
    let expected = scenario.invariants.iter().enumerate();
    explored.missing(expected.map(|(at, invariant)| (at, invariant.expect, invariant.when)))
}

/// How the orders were chosen: a portfolio is called so only if it did sample.
pub fn strategy(explored: &Explored) -> &'static str {
    match (&explored.sampled, explored.completeness) {
        (None, _) => "exhaustive",
        (Some(sampled), Completeness::Sampled) => sampled.strategy.word(),
        (Some(_), _) => "portfolio",
    }
}

/// The letter of a grade.
pub fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::A => "A",
        Grade::B => "B",
        Grade::C => "C",
        Grade::D => "D",
    }
}

/// The word for a kind of invariant.
pub fn when_word(when: When) -> &'static str {
    match when {
        When::Always => "always",
        When::Step => "step",
        When::Quiescent => "quiescent",
        When::Final => "final",
        When::Sometimes => "sometimes",
    }
}
