//! What a search found, or sampled schedules did.
//!
//! In: sums of a search, and the simplest way into each violation. Out: values for reports.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use super::Shard;
use super::coverage::Coverage;
use super::graph::Rank;
use super::look::Exercised;
use crate::scenario::{BoundName, Expect, When};
use crate::schedule::{Schedule, Step, StepKind, Task};
use crate::scheduler::Strategy;

/// What a finding needs, from the most to the least alarming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// No fault.
    A,
    /// A fault that the IC itself, a callee or an administrator produces.
    B,
    /// A callback that really traps.
    C,
    /// A trap that was injected.
    D,
}

impl Grade {
    /// The grade of a violation that these steps, with so many faults, lead to; `callback_traps`: one really does on the way.
    pub fn of(steps: &[Step], callback_traps: bool, faults: u32) -> Grade {
        match () {
            () if steps.iter().any(|step| step.kind == StepKind::Trap) => Grade::D,
            () if callback_traps => Grade::C,
            () if faults > 0 => Grade::B,
            () => Grade::A,
        }
    }
}

/// How far the search came with the worlds of one number of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultLevel {
    /// Faults spent.
    pub faults: u32,
    /// Distinct worlds found.
    pub worlds: u64,
    /// Worlds that were expanded.
    pub expanded: u64,
}

impl FaultLevel {
    /// Adds it to those of the same number of faults in a list that is sorted by it.
    pub fn add_to(self, levels: &mut Vec<FaultLevel>) {
        match levels.binary_search_by_key(&self.faults, |level| level.faults) {
            Ok(at) => {
                levels[at].worlds = levels[at].worlds.saturating_add(self.worlds);
                levels[at].expanded = levels[at].expanded.saturating_add(self.expanded);
            }
            Err(at) => levels.insert(at, self),
        }
    }
}

/// The simplest violation of one invariant.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Position in the scenario.
    pub invariant: usize,
    /// Steps that lead there.
    pub schedule: Schedule,
    /// Its place among all ways to violate the invariant: the rank after each step and which choice that step is. The least
    /// one is the finding of a search; empty if it was sampled.
    pub order: Vec<(Rank, u32)>,
    /// Calls started, deliveries made, faults spent on the way.
    pub calls: u32,
    /// Context switches, where they are bounded.
    pub switches: Option<u32>,
    /// Deliveries, starts included, faults not.
    pub deliveries: u32,
    /// Faults.
    pub faults: u32,
    /// What it needs.
    pub grade: Grade,
    /// Number of violating worlds.
    pub worlds: u64,
    /// Why the expression could not be evaluated, if it could not; what an oracle says.
    pub error: Option<String>,
    /// Invariants that are violated on the way, its own at the end included, each with the rank where it is first.
    pub met: Vec<(usize, Rank)>,
    /// Oracles that find the same ([`Explored::folded`]).
    pub also: Vec<usize>,
    /// What is known about simpler ones.
    pub minimal: Minimal,
}

/// What is known about counterexamples that are simpler than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Minimal {
    /// There is none with fewer faults, calls, bounded context switches or steps, in this order: all were looked at.
    Proved,
    /// No single change gives one; that there is none was not shown.
    One,
    /// Looking for one was cut short.
    Cut,
}

impl Minimal {
    /// As reports say it.
    pub fn word(self) -> &'static str {
        match self {
            Minimal::Proved => "proved",
            Minimal::One => "1-minimal",
            Minimal::Cut => "not minimal, the time ended first",
        }
    }
}

/// Whether a search is complete, and if not, why; of two parts of a search the greater one says it of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Completeness {
    /// Every world within the bounds was visited.
    Exhaustive,
    /// Every world within bounds was visited that are narrower than the scenario's; [`Explored::within`] says which.
    Within,
    /// Every world was visited except behind more firings of a timer than the bound allows.
    Timers,
    /// Every world was visited except behind chains longer than the depth bound.
    Depth,
    /// The budget ended first.
    Budget,
    /// Somebody wanted the end first.
    Interrupted,
    /// The limit of memory was reached first.
    Memory,
    /// Schedules were sampled: nothing says how much of the bound they saw.
    Sampled,
}

impl Completeness {
    /// Whether worlds are left that nobody has looked at, so that nothing can be counted.
    pub fn is_cut_short(self) -> bool {
        matches!(self, Completeness::Budget | Completeness::Interrupted | Completeness::Memory)
    }
}

/// What was sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// How schedules were chosen.
    pub strategy: Strategy,
    /// Seed of all choices.
    pub seed: u64,
    /// Schedules walked.
    pub schedules: u64,
    /// Distinct worlds that they came through.
    pub worlds: u64,
    /// For each violated invariant, by position: the first schedule, from 0, that violates it.
    pub first: Vec<(usize, u64)>,
}

/// Result of a search.
#[derive(Clone, Debug)]
pub struct Explored {
    /// How much of the bound was searched.
    pub completeness: Completeness,
    /// Bounds on context switches and those narrower than the scenario's, as far as they cut something off.
    pub within: Vec<(BoundName, u32)>,
    /// The faults, calls and context switches of the simplest world that was not expanded, if there is one: all simpler ones were.
    pub unfinished: Option<(u32, u32, u32)>,
    /// Interleavings that lead to complete executions, faults included; `None`: not counted, or unbounded.
    pub interleavings: Option<BigUint>,
    /// Those without faults.
    pub interleavings_without_faults: Option<BigUint>,
    /// Distinct worlds.
    pub worlds: u64,
    /// Executions of wasm.
    pub executions: u64,
    /// Steps made that executed a message, memoized ones included.
    pub deliveries: u64,
    /// Complete executions among the worlds.
    pub complete: u64,
    /// The simplest violation of each violated invariant, simplest first.
    pub findings: Vec<Finding>,
    /// For each `sometimes`, by position: whether it was seen.
    pub sometimes: Vec<(usize, bool)>,
    /// What became of the entries' instances.
    pub exercised: Exercised,
    /// Entries that were only ever answered with errors, each with the error if it is made alone at the start.
    pub refused: Vec<(usize, String)>,
    /// Oracles that say nothing, because what they compare with is too much.
    pub undecided: Vec<usize>,
    /// Distinct outcomes by (calls started, faults spent), at rest.
    pub outcomes: BTreeMap<(u32, u32), BTreeSet<String>>,
    /// By number of faults, fewest first: how much of it was searched.
    pub by_faults: Vec<FaultLevel>,
    /// Tasks that some canister may run within the bounds.
    pub tasks: Vec<Task>,
    /// Canisters whose timer was set, with the least time that was left to it, in nanoseconds; 0: it came due.
    pub timers: Vec<(u16, u64)>,
    /// Which methods were delivered while which await points were open.
    pub coverage: Coverage,
    /// Time spent; with a checkpoint by all runs together, as far as it was saved.
    pub elapsed: Duration,
    /// What did not fit into memory, if that ended the search.
    pub out_of_memory: Option<String>,
    /// Which share of the search this is, if not all of it.
    pub shard: Option<Shard>,
    /// What was sampled, if anything was.
    pub sampled: Option<Sampled>,
}

impl Finding {
    /// How simple it is, simplest first: faults, calls, context switches, steps, then the order of the scenario.
    pub fn rank(&self) -> (u32, u32, Option<u32>, usize, usize) {
        (self.faults, self.calls, self.switches, self.schedule.steps.len(), self.invariant)
    }
}

impl Explored {
    /// Adds what another part of the search saw of timers.
    pub fn add_timers(&mut self, timers: &[(u16, u64)]) {
        for &(canister, left_ns) in timers {
            match self.timers.binary_search_by_key(&canister, |(canister, _)| *canister) {
                Ok(at) => self.timers[at].1 = left_ns.min(self.timers[at].1),
                Err(at) => self.timers.insert(at, (canister, left_ns)),
            }
        }
    }

    /// Invariants that should be violated, or seen, and were not.
    pub fn missing<'a>(&'a self, expected: impl Iterator<Item = (usize, Expect, When)> + 'a) -> Vec<usize> {
        let found = |at: usize| self.findings.iter().any(|finding| finding.invariant == at);
        let unseen = |at: usize| self.sometimes.contains(&(at, false));
        expected
            .filter(|&(at, expect, when)| match when {
                When::Sometimes => unseen(at),
                _ => expect == Expect::Violated && !found(at),
            })
            .map(|(at, _, _)| at)
            .collect()
    }
}
