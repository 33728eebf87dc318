//! What one of several runs found that divide a search, as the `shard` object of its JSON report.
//!
//! In: a search of one share. Out: a [`Part`] that says all that `canloom merge` needs, and nothing that needs the modules
//! to be read.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::explore::{Completeness, Coverage, Exercised, Explored, FaultLevel, Finding, Grade, Rank, Shard};
use crate::scenario::BoundName;
use crate::schedule::Task;

/// One share of a search. Numbers that outgrow 64 bits are strings.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Which share.
    pub shard: Shard,
    /// Version of the tool.
    pub tool: String,
    /// The scenario file as it was named.
    pub scenario: PathBuf,
    /// Its SHA-256.
    pub scenario_sha256: String,
    /// Bounds that were given beside the scenario's own.
    pub bounds: Vec<(BoundName, u32)>,
    /// Hash of all that the search depends on.
    pub identity: String,
    /// Whether the share was searched completely.
    pub completeness: Completeness,
    /// Bounds that cut something off.
    pub within: Vec<(BoundName, u32)>,
    /// The simplest faults, calls and context switches of worlds that were not expanded.
    pub unfinished: Option<(u32, u32, u32)>,
    /// Interleavings of this share.
    pub interleavings: Option<String>,
    /// Those without faults.
    pub interleavings_without_faults: Option<String>,
    /// Distinct worlds.
    pub worlds: u64,
    /// Executions of wasm.
    pub executions: u64,
    /// Deliveries made.
    pub deliveries: u64,
    /// Worlds in which an execution is complete.
    pub complete: u64,
    /// Seconds.
    pub elapsed_s: f64,
    /// The simplest violation of each invariant that is violated in this share.
    pub findings: Vec<PartFinding>,
    /// For each `sometimes`, by position: whether it was seen.
    pub sometimes: Vec<(usize, bool)>,
    /// What became of the entries' instances.
    pub exercised: Exercised,
    /// Entries that were only ever answered with errors, each with an example.
    pub refused: Vec<(usize, String)>,
    /// Oracles that say nothing.
    pub undecided: Vec<usize>,
    /// Distinct outcomes.
    pub outcomes: Vec<Outcomes>,
    /// By number of faults.
    pub by_faults: Vec<FaultLevel>,
    /// Tasks that some canister may run.
    pub tasks: Vec<Task>,
    /// Canisters whose timer was set, with the least nanoseconds left to it; 0: it came due.
    pub timers: Vec<(u16, u64)>,
    /// Interleaving coverage.
    pub coverage: Coverage,
    /// What did not fit into memory.
    pub out_of_memory: Option<String>,
}

/// Outcomes after so many calls and faults.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcomes {
    /// Calls started.
    pub calls: u32,
    /// Faults spent.
    pub faults: u32,
    /// The outcomes, sorted.
    pub outcomes: Vec<String>,
}

/// A violation that one share found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartFinding {
    /// Position in the scenario.
    pub invariant: usize,
    /// Its place among all ways to violate the invariant.
    pub order: Vec<(Rank, u32)>,
    /// What it needs.
    pub grade: Grade,
    /// Context switches, where they are bounded.
    pub switches: Option<u32>,
    /// Deliveries made.
    pub deliveries: u32,
    /// Violating worlds of this share.
    pub worlds: u64,
    /// Why the expression could not be evaluated.
    pub error: Option<String>,
    /// Invariants violated on the way, each with the rank where it is first.
    pub met: Vec<(usize, Rank)>,
    /// The counterexample as a `.cx` file.
    pub cx: String,
    /// The counterexample step by step, for people.
    pub text: String,
}

/// What a share needs beside what the search found.
pub struct Origin {
    /// The scenario file as it was named.
    pub scenario: PathBuf,
    /// Its SHA-256.
    pub scenario_sha256: String,
    /// Bounds that were given beside the scenario's own.
    pub bounds: Vec<(BoundName, u32)>,
    /// Hash of all that the search depends on.
    pub identity: String,
}

impl Part {
    /// The share that a search was; `counterexamples` holds, for each finding, its `.cx` file and its text.
    pub fn new(shard: Shard, origin: Origin, explored: &Explored, counterexamples: Vec<(String, String)>) -> Part {
        let findings = explored.findings.iter().zip(counterexamples);
        let outcomes = explored.outcomes.iter();
        Part {
            shard,
            tool: env!("CARGO_PKG_VERSION").to_string(),
            scenario: origin.scenario,
            scenario_sha256: origin.scenario_sha256,
            bounds: origin.bounds,
            identity: origin.identity,
            completeness: explored.completeness,
            within: explored.within.clone(),
            unfinished: explored.unfinished,
            interleavings: explored.interleavings.as_ref().map(ToString::to_string),
            interleavings_without_faults: explored.interleavings_without_faults.as_ref().map(ToString::to_string),
            worlds: explored.worlds,
            executions: explored.executions,
            deliveries: explored.deliveries,
            complete: explored.complete,
            elapsed_s: explored.elapsed.as_secs_f64(),
            findings: findings.map(|(finding, (cx, text))| PartFinding::new(finding, cx, text)).collect(),
            sometimes: explored.sometimes.clone(),
            exercised: explored.exercised,
            refused: explored.refused.clone(),
            undecided: explored.undecided.clone(),
            outcomes: outcomes
                .map(|(&(calls, faults), outcomes)| Outcomes {
                    calls,
                    faults,
                    outcomes: outcomes.iter().cloned().collect(),
                })
                .collect(),
            by_faults: explored.by_faults.clone(),
            tasks: explored.tasks.clone(),
            timers: explored.timers.clone(),
            coverage: explored.coverage.clone(),
            out_of_memory: explored.out_of_memory.clone(),
        }
    }
}

impl PartFinding {
    fn new(finding: &Finding, cx: String, text: String) -> PartFinding {
        PartFinding {
            invariant: finding.invariant,
            order: finding.order.clone(),
            grade: finding.grade,
            switches: finding.switches,
            deliveries: finding.deliveries,
            worlds: finding.worlds,
            error: finding.error.clone(),
            met: finding.met.clone(),
            cx,
            text,
        }
    }
}
