//! The report of an exploration as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::explore::coverage::Row;
use crate::explore::{Completeness, Coverage, Exercised, Explored};
use crate::scenario::{CallEntry, Scenario};

use super::part::Part;
use super::{Verdict, grade, is_violation, strategy, unchecked};

/// The document. Big numbers are strings, since they outgrow 64 bits.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Name of the scenario.
    pub scenario: String,
    /// `embedded`, `pocket-ic`.
    pub engine: &'static str,
    /// `exhaustive`, `random`, `pos`, `pct`, `portfolio`.
    pub strategy: &'static str,
    /// `held`, `violated`, `inconclusive`.
    pub verdict: &'static str,
    /// Whether every world within the scenario's bounds was visited.
    pub exhaustive: bool,
    /// Narrower bounds that cut something off, by name; left out if there are none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub within: BTreeMap<&'static str, u32>,
    /// Interleavings, faults included; `null` where they were not counted.
    pub interleavings: Option<String>,
    /// Those without faults.
    pub interleavings_without_faults: Option<String>,
    /// Distinct worlds.
    pub worlds: u64,
    /// Executions of wasm.
    pub wasm_executions: u64,
    /// Deliveries made, memoized ones included.
    pub deliveries: u64,
    /// Seconds.
    pub elapsed_s: f64,
    /// The simplest violation of each violated invariant, simplest first.
    pub violations: Vec<Violation>,
    /// For each `sometimes`: whether it was seen.
    pub sometimes: BTreeMap<String, bool>,
    /// For each call: how it was ever answered.
    pub calls: BTreeMap<String, Answers>,
    /// Oracles that say nothing, because there is too much to compare with; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<String>,
    /// Invariants that no world was reached for; left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<String>,
    /// By number of faults, fewest first: how much of it was searched.
    pub by_faults: Vec<ByFaults>,
    /// Interleaving coverage.
    pub coverage: Covered,
    /// Seed of the sampled schedules; `null` where none were sampled.
    pub seed: Option<u64>,
    /// Schedules that were sampled.
    pub schedules: u64,
    /// Distinct worlds that they came through.
    pub sampled_worlds: u64,
    /// What `canloom merge` needs, in the report of one of several runs that divide a search.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard: Option<Part>,
}

/// How a call was ever answered.
#[derive(Debug, Serialize)]
pub struct Answers {
    /// Whether it was ever started.
    pub started: bool,
    /// Whether without an error.
    pub ok: bool,
    /// Whether with one: a reject, or a reply `variant { Err }`.
    pub err: bool,
    /// The error if it is made alone at the start, where it was answered with errors only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

/// How far the search came with one number of faults.
#[derive(Debug, Serialize)]
pub struct ByFaults {
    /// Faults spent.
    pub faults: u32,
    /// Distinct worlds found.
    pub worlds: u64,
    /// Worlds that were expanded: all of them if the search was complete.
    pub expanded: u64,
}

/// Pairs of an await point and a method that was delivered while it was open.
#[derive(Debug, Serialize)]
pub struct Covered {
    /// Pairs seen.
    pub seen: usize,
    /// Pairs that the scenario's methods allow.
    pub possible: usize,
    /// By await point.
    pub await_points: BTreeMap<String, CoveredPoint>,
}

/// What was delivered while an await point was open.
#[derive(Debug, Serialize)]
pub struct CoveredPoint {
    /// Methods delivered.
    pub seen: Vec<String>,
    /// Methods that were never delivered meanwhile.
    pub unseen: Vec<String>,
}

impl Covered {
    fn new(coverage: &Coverage) -> Covered {
        let (seen, possible) = coverage.pairs();
        let point = |row: &Row| CoveredPoint {
            seen: row.seen.iter().cloned().collect(),
            unseen: coverage.unseen(row).into_iter().map(String::from).collect(),
        };
        let points = coverage.points.iter().map(|(name, row)| (name.clone(), point(row)));
        Covered { seen, possible, await_points: points.collect() }
    }
}

/// One violated invariant.
#[derive(Debug, Serialize)]
pub struct Violation {
    /// Its name.
    pub invariant: String,
    /// A to D.
    pub grade: &'static str,
    /// Weakest class of orders that violates it with the same calls and faults: `idle-round`, `loaded-round`, `cross-subnet`,
    /// `spec-only`; `null` where none was found before the search for it was cut off, and in the report of a shard.
    pub class: Option<&'static str>,
    /// Calls started.
    pub calls: u32,
    /// Context switches; left out where they are not bounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switches: Option<u32>,
    /// Deliveries made.
    pub deliveries: u32,
    /// Faults spent.
    pub faults: u32,
    /// Worlds in which it is violated.
    pub worlds: u64,
    /// Whether the scenario says `expect = "violated"`.
    pub expected: bool,
    /// What the oracle says, or why the expression could not be evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Oracles that find the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The counterexample, where one was written, or the one in the corpus that is of the same bug.
    pub file: Option<String>,
    /// The await point that it hangs on.
    #[serde(rename = "await", skip_serializing_if = "Option::is_none")]
    pub point: Option<String>,
    /// Its place in the source, where the module says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// `proved`: nothing simpler violates it; `1-minimal`: no single change gives something simpler. Of a shard nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimal: Option<&'static str>,
    /// What the corpus knows of it: `open`, `fixed`; left out if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<&'static str>,
    /// What a replica says of it: `confirmed`, `not expressible`, `diverged`; left out where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pocket_ic: Option<&'static str>,
}

fn calls(scenario: &Scenario, explored: &Explored) -> BTreeMap<String, Answers> {
    let Exercised { started, ok, err } = explored.exercised;
    let answers = |(entry, call): (usize, &CallEntry)| {
        let has = |bits: u64| bits & (1 << entry) != 0;
        let example = explored.refused.iter().find(|(at, _)| *at == entry).map(|(_, text)| text.clone());
        (call.id.clone(), Answers { started: has(started), ok: has(ok), err: has(err), example })
    };
    scenario.calls.iter().enumerate().map(answers).collect()
}

impl Report {
    /// The report of a search; `files` holds the counterexample of each finding, in their order.
    pub fn new(scenario: &Scenario, explored: &Explored, files: &[Option<String>]) -> Report {
        let violations = explored.findings.iter().zip(files).map(|(finding, file)| {
            let invariant = &scenario.invariants[finding.invariant];
            Violation {
                invariant: invariant.name.clone(),
                grade: grade(finding.grade),
                class: None,
                calls: finding.calls,
                switches: finding.switches,
                deliveries: finding.deliveries,
                faults: finding.faults,
                worlds: finding.worlds,
                expected: !is_violation(invariant),
                reason: finding.error.clone(),
                also: finding.also.iter().map(|&at| scenario.invariants[at].name.clone()).collect(),
                file: file.clone(),
                point: None,
                place: None,
                minimal: explored.shard.is_none().then(|| finding.minimal.word()),
                known: None,
                pocket_ic: None,
            }
        });
        let by_faults = explored.by_faults.iter();
        let by_faults =
            by_faults.map(|depth| ByFaults { faults: depth.faults, worlds: depth.worlds, expanded: depth.expanded });
        let sampled = explored.sampled.as_ref();
        let name = |at: usize| scenario.invariants[at].name.clone();
        Report {
            scenario: scenario.name.clone(),
            engine: "embedded",
            strategy: strategy(explored),
            verdict: Verdict::of(scenario, explored).word(),
            exhaustive: explored.completeness == Completeness::Exhaustive,
            within: explored.within.iter().map(|(name, most)| (name.word(), *most)).collect(),
            interleavings: explored.interleavings.as_ref().map(ToString::to_string),
            interleavings_without_faults: explored.interleavings_without_faults.as_ref().map(ToString::to_string),
            worlds: explored.worlds,
            wasm_executions: explored.executions,
            deliveries: explored.deliveries,
            elapsed_s: explored.elapsed.as_secs_f64(),
            violations: violations.collect(),
            sometimes: explored.sometimes.iter().map(|&(at, seen)| (name(at), seen)).collect(),
            calls: calls(scenario, explored),
            undecided: explored.undecided.iter().map(|&at| name(at)).collect(),
            unchecked: unchecked(scenario, explored).into_iter().map(name).collect(),
            by_faults: by_faults.collect(),
            coverage: Covered::new(&explored.coverage),
            seed: sampled.map(|sampled| sampled.seed),
            schedules: sampled.map_or(0, |sampled| sampled.schedules),
            sampled_worlds: sampled.map_or(0, |sampled| sampled.worlds),
            shard: None,
        }
    }
}
