//! Reports for the terminal: verdict, counts, coverage; and the counterexample step by step (`steps`).
//!
//! In: results. Out: plain text without colour, the same for the same input apart from times and rates.

mod steps;

use std::fmt::Write as _;
use std::time::Duration;

use num_bigint::BigUint;

use crate::explore::{Completeness, Coverage, Explored, Finding, Sampled};
use crate::scenario::{BoundName, Invariant, Scenario};
use crate::schedule::Task;
use crate::shrink::{Shrunk, Size, Unneeded};

use super::{Verdict, grade, is_violation, missing, unchecked, was_refused};

pub use steps::{counterexample, explanation, with_replay};
pub(super) use steps::{cut, headline_and_details};

/// The verdict, as a line.
pub fn verdict(scenario: &Scenario, explored: &Explored) -> String {
    let share = explored.shard.map_or_else(String::new, |shard| format!(" (shard {} of {})", shard.index, shard.of));
    format!("{}: {}{share}\n", scenario.name, Verdict::of(scenario, explored).word())
}

/// Verdict, counts, and one line for each finding.
pub fn summary(scenario: &Scenario, explored: &Explored) -> String {
    let mut out = verdict(scenario, explored);
    let exhaustive = match explored.completeness {
        Completeness::Exhaustive => "yes".to_string(),
        Completeness::Within => within(explored),
        Completeness::Depth => format!("no, cut at chains of {} messages", scenario.bounds.depth),
        Completeness::Timers => format!("no, cut at {} firings of one timer", scenario.bounds.timers),
        Completeness::Memory => format!("no, memory ended first; {}", by_faults(explored)),
        Completeness::Budget => format!("no, the budget ended first; {}", by_faults(explored)),
        Completeness::Interrupted => format!("no, interrupted; {}", by_faults(explored)),
        Completeness::Sampled => "no, sampled".to_string(),
    };
    let _ = writeln!(
        out,
        "{} interleavings, {} worlds, {} wasm executions, exhaustive: {exhaustive}",
        explored.interleavings.as_ref().map_or("uncounted".to_string(), grouped_big),
        grouped(explored.worlds),
        grouped(explored.executions),
    );
    if let Some(finished) = finished(scenario, explored) {
        let _ = writeln!(out, "{finished}");
    }
    let bounds = scenario.bounds;
    let without = explored.interleavings_without_faults.as_ref();
    let _ = writeln!(
        out,
        "bounds: {}, {} in flight, {}{}{}; {} in {}",
        plural(bounds.calls, "call"),
        bounds.in_flight.min(bounds.calls),
        plural(bounds.faults, "fault"),
        other_bounds(scenario, explored),
        without.map_or_else(String::new, |n| format!(" ({} interleavings without faults)", grouped_big(n))),
        rate(explored.worlds, explored.elapsed),
        seconds(explored.elapsed),
    );
    if let Some(sampled) = &explored.sampled {
        let _ = writeln!(out, "{}", sampling(scenario, explored, sampled));
    }
    if let Some(what) = &explored.out_of_memory {
        let _ = writeln!(out, "note: {what}; lower the bounds of the scenario, or give more memory");
    }
    if was_refused(explored) {
        let _ = writeln!(out, "nothing was exercised: every call was answered with an error");
    }
    for (entry, error) in &explored.refused {
        let id = &scenario.calls[*entry].id;
        let example = if error.is_empty() { "and not when made alone at the start" } else { error };
        let _ = writeln!(out, "note: `{id}` was only ever answered with errors: {}", steps::cut(example));
    }
    for (entry, call) in scenario.calls.iter().enumerate() {
        if explored.shard.is_none() && explored.complete > 0 && explored.exercised.started & (1 << entry) == 0 {
            let what = "the call or the captured value that it waits for never came, or the bound on calls is too low";
            let _ = writeln!(out, "note: `{}` was never started: {what}", call.id);
        }
    }
    if !explored.undecided.is_empty() {
        let names: Vec<&str> = explored.undecided.iter().map(|&at| scenario.invariants[at].name.as_str()).collect();
        let _ = writeln!(
            out,
            "not decided: {}; the executions one after the other to compare with are too many, meet a bound or \
             the budget, or need what is not offered: change the bounds of the scenario, or turn them off in [check]",
            names.join(", ")
        );
    }
    let unchecked = unchecked(scenario, explored);
    if !unchecked.is_empty() {
        let names: Vec<String> = unchecked.iter().map(|&at| format!("\"{}\"", scenario.invariants[at].name)).collect();
        let due = explored.timers.iter().find(|(_, left_ns)| *left_ns == 0);
        let why = match due {
            Some((canister, _)) => format!(
                "a timer of {} is due, and the bounds let none fire: raise `timers`, which is {}",
                scenario.canisters[usize::from(*canister)].name,
                scenario.bounds.timers,
            ),
            None => "raise the bounds of the scenario, or ask for `always`".to_string(),
        };
        let _ = writeln!(out, "never checked: {}: no world is at rest after a call; {why}", names.join(", "));
    }
    for finding in &explored.findings {
        let invariant = &scenario.invariants[finding.invariant];
        let expected = if is_violation(invariant) { "" } else { ", as expected" };
        let _ = writeln!(
            out,
            "violated: \"{}\" in {} worlds{expected}; simplest: {}, {}, {}{} (grade {}){}",
            invariant.name,
            grouped(finding.worlds),
            plural(finding.calls, "call"),
            plural(finding.faults, "fault"),
            finding.switches.map_or_else(String::new, |n| format!("{}, ", switches(n))),
            counted(finding.deliveries, "delivery", "deliveries"),
            grade(finding.grade),
            also(scenario, finding),
        );
    }
    for (at, seen) in &explored.sometimes {
        let name = &scenario.invariants[*at].name;
        let _ = writeln!(out, "{}: \"{name}\"", if *seen { "seen" } else { "never seen" });
    }
    for at in missing(scenario, explored) {
        let Invariant { name, .. } = &scenario.invariants[at];
        if !explored.sometimes.iter().any(|(other, _)| *other == at) {
            let _ = writeln!(out, "not violated, though `expect = \"violated\"`: \"{name}\"");
        }
    }
    for &(canister, left_ns) in explored.timers.iter().filter(|(_, left_ns)| *left_ns > 0) {
        let name = &scenario.canisters.get(usize::from(canister)).map_or("?", |canister| &canister.name);
        let left_s = left_ns.div_ceil(1_000_000_000);
        let _ = writeln!(
            out,
            "note: the timer of {name} is set {left_s} s ahead and never ran: let time pass with [[time]]"
        );
    }
    out
}

/// What shrinking came to: sizes before and after, and what is known about simpler ones.
pub fn shrunk(scenario: &Scenario, shrunk: &Shrunk) -> String {
    let size = |size: &Size| {
        format!(
            "{}, {}, {}, {}",
            plural(u32::from(size.rank.calls), "call"),
            plural(u32::from(size.rank.faults), "fault"),
            switches(size.switches),
            plural(size.rank.steps, "step"),
        )
    };
    let bounds = if scenario.bounds == scenario.own_bounds { "" } else { " within the bounds" };
    format!(
        "before: {}\nafter:  {}; minimal: {}{bounds}; {} schedules followed\n",
        size(&shrunk.before),
        size(&shrunk.size),
        shrunk.finding.minimal.word(),
        grouped(shrunk.tried),
    )
}

/// What of the scenario a counterexample does not need; empty if it needs all of it.
pub fn unneeded(scenario: &Scenario, unneeded: &Unneeded) -> String {
    let mut out = String::new();
    let setup = unneeded.setup.iter().map(|&at| {
        let call = &scenario.setup[at];
        format!("{} ({}.{})", at + 1, scenario.canisters[call.canister].name, call.method)
    });
    let setup: Vec<String> = setup.collect();
    if !setup.is_empty() {
        let _ = writeln!(out, "not needed for it: setup call {}", setup.join(", "));
    }
    let canisters = unneeded.canisters.iter().map(|&at| scenario.canisters[at].name.as_str());
    let canisters: Vec<&str> = canisters.collect();
    if !canisters.is_empty() {
        let _ = writeln!(out, "takes no part in it: canister {}", canisters.join(", "));
    }
    out
}

/// Oracles that find the same.
fn also(scenario: &Scenario, finding: &Finding) -> String {
    let names: Vec<&str> = finding.also.iter().map(|&at| scenario.invariants[at].name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("; found by {}, too", names.join(", ")) }
}

/// What was sampled, and what was searched before.
fn sampling(scenario: &Scenario, explored: &Explored, sampled: &Sampled) -> String {
    let drawn = format!(
        "{}, seed {}, {} schedules, {} distinct worlds",
        sampled.strategy.word(),
        sampled.seed,
        grouped(sampled.schedules),
        grouped(sampled.worlds)
    );
    if explored.completeness == Completeness::Sampled {
        return drawn;
    }
    let searched = finished(scenario, explored).map_or_else(
        || "exhaustive at the beginning".to_string(),
        |finished| finished.replacen("finished: ", "exhaustive for ", 1),
    );
    format!("portfolio: {searched}; then {drawn}")
}

/// Widest column of await points.
const WIDTH_MAX: usize = 100;

/// Interleaving coverage as a table: a line for each await point, with the methods that were delivered while it was open and
/// those that never were. Empty if nothing awaits.
pub fn coverage(coverage: &Coverage) -> String {
    let mut out = String::new();
    if coverage.points.is_empty() {
        return out;
    }
    let (seen, possible) = coverage.pairs();
    let _ = writeln!(
        out,
        "\ncoverage: {seen} of {possible} pairs of an await point and a method delivered while it was open"
    );
    let width = coverage.points.keys().map(|name| name.chars().count()).max().unwrap_or(0).min(WIDTH_MAX);
    for (name, row) in &coverage.points {
        let seen: Vec<&str> = row.seen.iter().map(String::as_str).collect();
        let unseen = coverage.unseen(row);
        let unseen = if unseen.is_empty() { String::new() } else { format!("; never {}", unseen.join(", ")) };
        let seen = if seen.is_empty() { "nothing".to_string() } else { seen.join(", ") };
        let _ = writeln!(out, "  {name:<width$}  {seen}{unseen}");
    }
    out
}

/// Bounds that cut something off, with their numbers.
fn within(explored: &Explored) -> String {
    let bound = |&(name, most): &(BoundName, u32)| match name {
        BoundName::Calls => plural(most, "call"),
        BoundName::InFlight => format!("{most} in flight"),
        BoundName::Faults => plural(most, "fault"),
        BoundName::Switches => switches(most),
        BoundName::Depth => format!("chains of {}", plural(most, "message")),
        BoundName::Time => plural(most, "time step"),
        BoundName::Timers => format!("{} of a timer", counted(most, "firing", "firings")),
        BoundName::Heartbeats => format!("{} of a canister", plural(most, "heartbeat")),
    };
    let bounds: Vec<String> = explored.within.iter().map(bound).collect();
    format!("within {} ({})", if bounds.len() == 1 { "bound" } else { "bounds" }, bounds.join(", "))
}

fn switches(n: u32) -> String {
    counted(n, "context switch", "context switches")
}

/// What was searched completely before a search ended early: all with so few faults; with one fault more, all with so few
/// calls; with one call more, all with so few context switches.
fn finished(scenario: &Scenario, explored: &Explored) -> Option<String> {
    let (faults, calls, switched) = explored.unfinished?;
    let mut parts = Vec::new();
    if faults > 0 {
        let up_to = if faults > 1 { "up to " } else { "" };
        parts.push(format!("{up_to}{}", plural(faults - 1, "fault")));
    }
    if calls > 0 {
        parts.push(format!("{} and up to {}", plural(faults, "fault"), plural(calls - 1, "call")));
    }
    if scenario.bounds.switches.is_some() && switched > 0 {
        let level = format!("{}, {}", plural(faults, "fault"), plural(calls, "call"));
        parts.push(format!("{level} and up to {}", switches(switched - 1)));
    }
    (!parts.is_empty()).then(|| format!("finished: {}", parts.join("; ")))
}

/// Bounds that matter for some scenarios only: context switches, firings of timers, heartbeats, time steps.
fn other_bounds(scenario: &Scenario, explored: &Explored) -> String {
    let mut out = String::new();
    if let Some(most) = scenario.bounds.switches {
        let _ = write!(out, ", {}", switches(most));
    }
    if explored.tasks.contains(&Task::Timer) {
        let _ = write!(out, ", {} of a timer", counted(scenario.bounds.timers, "firing", "firings"));
    }
    if explored.tasks.contains(&Task::Heartbeat) {
        let _ = write!(out, ", {} of a canister", plural(scenario.bounds.heartbeats, "heartbeat"));
    }
    let times = scenario.bounds.times;
    if times > 0 {
        let _ = write!(out, ", {}", plural(times, "time step"));
    }
    out
}

/// Which numbers of faults were searched completely, and how much of the next one.
fn by_faults(explored: &Explored) -> String {
    let complete = explored.by_faults.iter().take_while(|depth| depth.expanded == depth.worlds);
    let complete: Vec<String> = complete.map(|depth| depth.faults.to_string()).collect();
    let mut parts = Vec::new();
    // What is found with one fault more is only known when all with fewer are through.
    let next = explored.by_faults.get(complete.len());
    if let Some((last, others)) = complete.split_last() {
        let list = if others.is_empty() { last.clone() } else { format!("{} and {last}", others.join(", ")) };
        parts.push(format!("{list} faults complete"));
    }
    if let Some(depth) = next {
        let percent = u128::from(depth.expanded) * 100 / u128::from(depth.worlds.max(1));
        parts.push(format!("{}: {percent} % of the worlds found so far", plural(depth.faults, "fault")));
    }
    parts.join(", ")
}

/// The outcomes of a scenario: a section for each number of calls started and faults spent, then a line for each outcome,
/// sorted. This is the text of `outcomes.txt`.
pub fn outcomes(explored: &Explored) -> String {
    let mut out = String::new();
    for (&(calls, faults), outcomes) in &explored.outcomes {
        let blank = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{blank}[{}, {}]", plural(calls, "call"), plural(faults, "fault"));
        for outcome in outcomes {
            let _ = writeln!(out, "{outcome}");
        }
    }
    out
}

fn plural(n: u32, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

fn counted(n: u32, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn seconds(time: Duration) -> String {
    let s = time.as_secs_f64();
    if s < 1.0 { format!("{:.0} ms", s * 1000.0) } else { format!("{s:.2} s") }
}

fn rate(worlds: u64, time: Duration) -> String {
    let rate = worlds as f64 / time.as_secs_f64().max(1e-9);
    format!("{} worlds/s", grouped(rate as u64))
}

/// A number with commas between groups of three digits.
pub fn grouped(n: u64) -> String {
    grouped_digits(&n.to_string())
}

/// Likewise.
pub fn grouped_big(n: &BigUint) -> String {
    grouped_digits(&n.to_string())
}

fn grouped_digits(digits: &str) -> String {
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
