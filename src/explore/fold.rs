//! One finding for one bug: what generic oracles find again is not reported under a second name.
//!
//! In: the simplest violation of each invariant. Out: the same, without those of oracles whose way passes a violation of another
//! finding that is as simple as that finding itself: whoever looks at the one sees the other. The names of those are kept with
//! the finding. Invariants that the user wrote always stay.

use super::found::{Explored, Finding};
use crate::scenario::{Expect, Scenario};

impl Explored {
    /// The same with one finding for each bug, as far as that can be told.
    pub fn folded(mut self, scenario: &Scenario) -> Explored {
        let mut kept: Vec<Finding> = Vec::new();
        // Simplest first, and at one rank the user's own before oracles, as they stand in the scenario.
        for finding in std::mem::take(&mut self.findings) {
            let is_generic = scenario.invariants[finding.invariant].is_generic;
            let shows = |other: &&mut Finding| {
                scenario.invariants[other.invariant].expect == Expect::Holds && is_passed(&finding, other)
            };
            match kept.iter_mut().find(shows).filter(|_| is_generic) {
                Some(other) => other.also.push(finding.invariant),
                None => kept.push(finding),
            }
        }
        self.findings = kept;
        self
    }
}

/// Whether the way of a finding passes a violation of another one's invariant that is as simple as that one.
fn is_passed(finding: &Finding, other: &Finding) -> bool {
    let steps = other.schedule.steps.len();
    // What is violated before anything happens is on every way.
    if steps == 0 {
        return false;
    }
    finding.met.iter().any(|&(invariant, rank)| {
        invariant == other.invariant
            && (u32::from(rank.faults), u32::from(rank.calls)) == (other.faults, other.calls)
            && rank.steps as usize == steps
    })
}
