//! The reports of all runs that divide a search become one.
//!
//! In: a [`Part`] of each run. Out: what one run would have found: the same verdict, interleavings, outcomes and
//! counterexamples. Worlds, executions, deliveries and seconds are sums: a world that paths of two runs lead to counts twice.

use std::collections::BTreeMap;
use std::time::Duration;

use num_bigint::BigUint;

use super::part::{Part, PartFinding};
use crate::counterexample::Counterexample;
use crate::explore::{Completeness, Coverage, Explored, Finding, Minimal};
use crate::scenario::{BoundName, Scenario, When};

/// Why reports do not make one. Texts name the reports by their files.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MergeError {
    /// No report is given.
    #[error("no report is given; name the JSON reports of all shards")]
    Nothing,
    /// Two reports are not of one search.
    #[error(
        "{first} and {second} are not reports of one search: {what} differs; run all shards with the same scenario, modules, --bound and number of shards"
    )]
    Different {
        /// A report.
        first: String,
        /// One that does not fit.
        second: String,
        /// What is not the same.
        what: &'static str,
    },
    /// Two reports are of one share.
    #[error("{first} and {second} are both reports of shard {index} of {of}; name each once")]
    Twice {
        /// A report.
        first: String,
        /// One of the same share.
        second: String,
        /// Which share.
        index: u32,
        /// Of how many.
        of: u32,
    },
    /// A share is missing.
    #[error("the {} of {of} {} missing; all shards are needed: canloom explore SCENARIO --shard i/{of} --json FILE", list(missing), if missing.len() == 1 { "is" } else { "are" })]
    Missing {
        /// Which shares.
        missing: Vec<u32>,
        /// Of how many.
        of: u32,
    },
    /// A report says something that cannot be.
    #[error("{report}: {what}")]
    Wrong {
        /// The report.
        report: String,
        /// What is wrong with it.
        what: String,
    },
}

fn sorted(bounds: &[(BoundName, u32)]) -> Vec<(BoundName, u32)> {
    let mut bounds = bounds.to_vec();
    bounds.sort();
    bounds
}

fn list(missing: &[u32]) -> String {
    let word = if missing.len() == 1 { "report of shard" } else { "reports of shards" };
    let shown: Vec<String> = missing.iter().take(10).map(ToString::to_string).collect();
    format!("{word} {}{}", shown.join(", "), if missing.len() > 10 { ", ..." } else { "" })
}

/// A search put together from its shares.
#[derive(Debug)]
pub struct Merged {
    /// What was found.
    pub explored: Explored,
    /// For each finding: its counterexample, and that step by step.
    pub counterexamples: Vec<(Counterexample, String)>,
}

/// Puts shares together, each given with the name of its file.
///
/// # Errors
/// If they are not all shares of one search of this scenario, or say what cannot be.
pub fn merge(scenario: &Scenario, parts: &[(String, Part)]) -> Result<Merged, MergeError> {
    let (first, one) = parts.first().ok_or(MergeError::Nothing)?;
    let of = one.shard.of;
    let mut by_index: BTreeMap<u32, &str> = BTreeMap::new();
    for (report, part) in parts {
        let differs = |what| Err(MergeError::Different { first: first.clone(), second: report.clone(), what });
        let index = part.shard.index;
        match () {
            () if part.tool != one.tool => return differs("the version of canloom"),
            () if part.shard.of != of => return differs("the number of shards"),
            () if part.scenario_sha256 != one.scenario_sha256 => return differs("the scenario file"),
            () if sorted(&part.bounds) != sorted(&one.bounds) => return differs("a `--bound`"),
            () if part.identity != one.identity => return differs("a module"),
            () if index == 0 || index > of => {
                let what = format!("there is no shard {index} of {of}");
                return Err(MergeError::Wrong { report: report.clone(), what });
            }
            () => {}
        }
        if let Some(other) = by_index.insert(index, report) {
            return Err(MergeError::Twice { first: other.to_string(), second: report.clone(), index, of });
        }
        check(scenario, report, part)?;
    }
    if by_index.len() < of as usize {
        // Numbers of a hostile report: not all of them are listed.
        let missing = (1..=of).filter(|index| !by_index.contains_key(index)).take(11).collect();
        return Err(MergeError::Missing { missing, of });
    }
    let mut explored = empty(one);
    for (report, part) in parts {
        add(&mut explored, report, part)?;
    }
    let mut simplest: BTreeMap<usize, (&str, PartFinding)> = BTreeMap::new();
    for (report, part) in parts {
        for finding in &part.findings {
            match simplest.get_mut(&finding.invariant) {
                None => {
                    simplest.insert(finding.invariant, (report, finding.clone()));
                }
                Some((from, other)) => {
                    let worlds = other.worlds.saturating_add(finding.worlds);
                    if order(finding) < order(other) {
                        (*from, *other) = (report, finding.clone());
                    }
                    other.worlds = worlds;
                }
            }
        }
    }
    let mut found: Vec<(&str, PartFinding)> = simplest.into_values().collect();
    found.sort_by_key(|(_, finding)| (finding.order.last().map(|(rank, _)| *rank), finding.invariant));
    let mut counterexamples = Vec::new();
    // The least of all shards is the least of the search, if each of them came to its end.
    let is_complete = matches!(explored.completeness, Completeness::Exhaustive | Completeness::Within);
    for (report, finding) in found {
        let counterexample = Counterexample::parse(&finding.cx).map_err(|(line, what)| {
            let what = format!("line {line} of a counterexample: {what}");
            MergeError::Wrong { report: report.to_string(), what }
        })?;
        if counterexample.invariant != scenario.invariants[finding.invariant].name {
            let what = "a counterexample to another invariant than the violated one".to_string();
            return Err(MergeError::Wrong { report: report.to_string(), what });
        }
        let rank = finding.order.last().map_or_else(Default::default, |&(rank, _)| rank);
        explored.findings.push(Finding {
            invariant: finding.invariant,
            schedule: counterexample.schedule.clone(),
            calls: u32::from(rank.calls),
            switches: finding.switches,
            deliveries: finding.deliveries,
            faults: u32::from(rank.faults),
            grade: finding.grade,
            worlds: finding.worlds,
            error: finding.error,
            met: finding.met,
            also: Vec::new(),
            minimal: if is_complete { Minimal::Proved } else { Minimal::One },
            order: finding.order,
        });
        counterexamples.push((counterexample, printable(&finding.text)));
    }
    let ok = explored.exercised.ok;
    explored.refused.retain(|(entry, _)| ok & (1 << entry) == 0);
    explored.refused.sort();
    let explored = explored.folded(scenario);
    let is_kept =
        |name: &str| explored.findings.iter().any(|finding| scenario.invariants[finding.invariant].name == name);
    counterexamples.retain(|(counterexample, _)| is_kept(&counterexample.invariant));
    Ok(Merged { explored, counterexamples })
}

/// The way to a violation, simplest first: by where it ends, then step by step.
fn order(finding: &PartFinding) -> impl Ord + use<> {
    (finding.order.last().map(|(rank, _)| *rank), finding.order.clone())
}

fn check(scenario: &Scenario, report: &str, part: &Part) -> Result<(), MergeError> {
    let wrong = |what: &str| Err(MergeError::Wrong { report: report.to_string(), what: what.to_string() });
    if part.scenario_sha256 != scenario.sha256 {
        return wrong(&format!(
            "not a report on {} as it is now: the file was changed since, or is another; name the right one with --scenario, or run the shards again",
            scenario.file.display()
        ));
    }
    let count = scenario.invariants.len();
    if part.findings.iter().any(|finding| finding.invariant >= count) {
        return wrong("a violation of an invariant that the scenario does not have");
    }
    let is_seen_only = |finding: &PartFinding| scenario.invariants[finding.invariant].when == When::Sometimes;
    if part.findings.iter().any(is_seen_only) {
        return wrong("a violation of a `sometimes`, which is seen or not");
    }
    if part.refused.iter().any(|(entry, _)| *entry >= scenario.calls.len()) {
        return wrong("a call that the scenario does not have");
    }
    let met = part.findings.iter().flat_map(|finding| &finding.met).map(|(at, _)| at);
    if met.chain(&part.undecided).any(|&at| at >= count) {
        return wrong("an invariant that the scenario does not have");
    }
    let is_sometimes = |at: usize| scenario.invariants.get(at).is_some_and(|one| one.when == When::Sometimes);
    if part.sometimes.iter().any(|(at, _)| !is_sometimes(*at)) {
        return wrong("a `sometimes` that the scenario does not have");
    }
    Ok(())
}

fn empty(part: &Part) -> Explored {
    let zero = || Some(BigUint::ZERO);
    Explored {
        completeness: Completeness::Exhaustive,
        within: Vec::new(),
        unfinished: None,
        interleavings: zero(),
        interleavings_without_faults: zero(),
        worlds: 0,
        executions: 0,
        deliveries: 0,
        complete: 0,
        findings: Vec::new(),
        sometimes: part.sometimes.iter().map(|&(at, _)| (at, false)).collect(),
        exercised: Default::default(),
        refused: Vec::new(),
        undecided: Vec::new(),
        outcomes: BTreeMap::new(),
        by_faults: Vec::new(),
        tasks: part.tasks.clone(),
        timers: Vec::new(),
        coverage: Coverage::default(),
        elapsed: Duration::ZERO,
        out_of_memory: None,
        shard: None,
        sampled: None,
    }
}

fn add(explored: &mut Explored, report: &str, part: &Part) -> Result<(), MergeError> {
    explored.completeness = explored.completeness.max(part.completeness);
    explored.within.extend(part.within.iter().filter(|bound| !explored.within.contains(bound)).collect::<Vec<_>>());
    explored.within.sort();
    explored.unfinished = [explored.unfinished, part.unfinished].into_iter().flatten().min();
    explored.interleavings = sum(explored.interleavings.take(), report, part.interleavings.as_deref())?;
    let without = part.interleavings_without_faults.as_deref();
    explored.interleavings_without_faults = sum(explored.interleavings_without_faults.take(), report, without)?;
    let add = |to: &mut u64, more: u64| *to = to.saturating_add(more);
    add(&mut explored.worlds, part.worlds);
    add(&mut explored.executions, part.executions);
    add(&mut explored.deliveries, part.deliveries);
    add(&mut explored.complete, part.complete);
    let elapsed = Duration::try_from_secs_f64(part.elapsed_s).unwrap_or_default();
    explored.elapsed = explored.elapsed.saturating_add(elapsed);
    for (at, seen) in &mut explored.sometimes {
        *seen |= part.sometimes.contains(&(*at, true));
    }
    explored.undecided.extend(&part.undecided);
    explored.undecided.sort_unstable();
    explored.undecided.dedup();
    explored.exercised = explored.exercised.or(part.exercised);
    for (entry, text) in &part.refused {
        if explored.refused.iter().all(|(known, _)| known != entry) {
            explored.refused.push((*entry, printable(text)));
        }
    }
    for section in &part.outcomes {
        let outcomes = explored.outcomes.entry((section.calls, section.faults)).or_default();
        outcomes.extend(section.outcomes.iter().map(|outcome| printable(outcome)));
    }
    part.by_faults.iter().for_each(|level| level.add_to(&mut explored.by_faults));
    explored.add_timers(&part.timers);
    explored.coverage.merge(&part.coverage.renamed(printable));
    explored.out_of_memory = explored.out_of_memory.take().or_else(|| part.out_of_memory.as_deref().map(printable));
    Ok(())
}

/// A text from a report, without what a terminal would obey.
fn printable(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

/// `None` where one part was not counted.
fn sum(all: Option<BigUint>, report: &str, more: Option<&str>) -> Result<Option<BigUint>, MergeError> {
    let (Some(all), Some(more)) = (all, more) else { return Ok(None) };
    // Longer than any count of a search, and long to read.
    let is_number = more.len() <= 10_000 && more.bytes().all(|byte| byte.is_ascii_digit());
    match more.parse::<BigUint>() {
        Ok(number) if is_number => Ok(Some(all + number)),
        _ => Err(MergeError::Wrong { report: report.to_string(), what: format!("`{more}` is not a number") }),
    }
}
