//! Schedules of fifty steps, most of which have nothing to do with the bug.
//!
//! A scenario of the corpus gets calls of up to three further methods, those that its observations read; then schedules are drawn
//! until a long one violates the invariant that an exhaustive search of the scenario itself violates.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use canloom::counterexample::hangs_on;
use canloom::engine::embedded::Embedded;
use canloom::explore::{Finding, Minimal};
use canloom::kernel::World;
use canloom::sample::schedule;
use canloom::scenario::Scenario;
use canloom::schedule::Step;
use canloom::scheduler::Strategy;
use canloom::shrink::{Effort, shrink_at, switches};
use num_bigint::BigUint;

use super::corpus;
use crate::stage::explore_all;

/// Calls of each further method: many, and fewer where an oracle has too much to compare with else, none where it judges calls alone.
const CALLS: [u32; 4] = [14, 2, 1, 0];
/// Steps of a schedule with noise.
const STEPS: usize = 50;
/// Schedules drawn for one that violates the invariant late.
const DRAWN: u64 = 200;

/// Faults, calls and steps.
type Size = (u32, u32, usize);

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// Invariant.
    pub invariant: String,
    /// Faults and steps of the schedule that was drawn, with its calls and context switches.
    pub before: (u32, usize, u32, u32),
    /// Size after taking away and moving.
    pub moved: Size,
    /// Size in the end, and the context switches.
    pub after: Size,
    /// See above.
    pub switches: u32,
    /// The size that the search finds.
    pub searched: Size,
    /// What is known about simpler ones.
    pub minimal: Minimal,
    /// Schedules followed.
    pub tried: u64,
    /// Time for taking away and moving, and for the search.
    pub time: (Duration, Duration),
}

/// A scenario with so many calls of each of up to three further methods.
pub fn open(file: &Path, noise: u32) -> Embedded {
    let mut text = std::fs::read_to_string(file).expect("a scenario");
    if noise > 0 {
        let own = Scenario::load(file).expect("a scenario");
        let further = own.observations.iter().filter(|observation| !observation.is_update).take(3);
        let mut calls = String::new();
        for (at, observation) in further.enumerate() {
            let canister = &own.canisters[observation.canister].name;
            let args = observation_args(&text, &observation.name);
            let actor = &own.actors[0].name;
            let _ = write!(
                calls,
                "\n[[call]]\nid = \"noise-{at}\"\nto = \"{canister}\"\nmethod = \"{}\"\nby = [\"{actor}\"]\nmax = {noise}\n{args}",
                observation.method
            );
        }
        text = with_bounds(&text, own.bounds.calls + 3 * noise, own.bounds.in_flight + 3 * noise) + &calls;
    }
    let scenario = Scenario::from_text(file, &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"))
}

/// The line `args = ...` of an observation.
fn observation_args(text: &str, name: &str) -> String {
    let section = text.split(&format!("[observe.{name}]")).nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    section.lines().find(|line| line.starts_with("args =")).map_or_else(String::new, |line| format!("{line}\n"))
}

/// The scenario with other bounds on calls.
fn with_bounds(text: &str, calls: u32, in_flight: u32) -> String {
    let mut out = String::new();
    let mut is_explore = false;
    let mut is_written = false;
    for line in text.lines() {
        if line.starts_with('[') {
            is_explore = line == "[explore]";
        }
        if is_explore && (line.starts_with("calls") || line.starts_with("in_flight")) {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if line == "[explore]" {
            is_written = true;
            let _ = writeln!(out, "calls = {calls}\nin_flight = {in_flight}");
        }
    }
    if !is_written {
        let place = out.find("\n[").map_or(0, |at| at + 1);
        out.insert_str(place, &format!("[explore]\ncalls = {calls}\nin_flight = {in_flight}\n\n"));
    }
    out
}

/// Draws a schedule of a scenario of the corpus with noise, shrinks it there, and then within this time in the scenario itself,
/// whose calls have the same numbers.
pub fn shrink(name: &str, time: Duration) -> Row {
    let file = corpus::folder().join(name).join("scenario.toml");
    let mut own = open(&file, 0);
    let scenario = own.scenario.clone();
    let explored = explore_all(&mut own).folded(&scenario);
    let finding = &explored.findings[0];
    let searched = (finding.faults, finding.calls, finding.schedule.steps.len());
    let invariant = finding.invariant;
    let name_of = scenario.invariants[invariant].name.clone();
    let guilty = hangs_on(&mut own, invariant, &finding.schedule).expect("it can be told").expect("it is violated");
    let point = guilty[0].point.name.clone();
    let drawn = CALLS.iter().find_map(|&calls| {
        let mut engine = open(&file, calls);
        let steps = draw(&mut engine, invariant, &point, own.kernel.calls().len() as u32)?;
        Some((engine, steps))
    });
    let (mut engine, steps) = drawn.unwrap_or_else(|| panic!("{name}: no schedule violates it"));
    let began = Instant::now();
    let moves = Effort { time: None, most: u64::MAX, proves: false };
    let quick = shrink_at(&mut engine, (invariant, Some(&point)), &steps, 1, moves, &mut |_| {});
    let quick = quick.expect("it can be told").expect("it is violated");
    let moved = began.elapsed();
    let proves = Effort { time: Some(time), most: u64::MAX, proves: true };
    let steps = &quick.finding.schedule.steps;
    let proved = shrink_at(&mut own, (invariant, Some(&point)), steps, 1, proves, &mut |_| {});
    let proved = proved.expect("it can be told").expect("it is violated");
    let size = |finding: &Finding| (finding.faults, finding.calls, finding.schedule.steps.len());
    let (first, after) = (&quick.before, proved.finding.schedule.steps.iter().collect::<Vec<_>>());
    Row {
        invariant: name_of,
        before: (u32::from(first.rank.faults), first.rank.steps as usize, u32::from(first.rank.calls), first.switches),
        moved: size(&quick.finding),
        after: size(&proved.finding),
        switches: switches(&after),
        searched,
        minimal: proved.finding.minimal,
        tried: quick.tried + proved.tried,
        time: (moved, began.elapsed() - moved),
    }
}

/// A schedule that violates an invariant at an await point, with further calls between its steps.
fn draw(engine: &mut Embedded, invariant: usize, point: &str, own: u32) -> Option<Vec<Step>> {
    let mut latest: Option<Vec<Step>> = None;
    for number in 0..DRAWN {
        let steps = schedule(engine, Strategy::Random, 1, number).expect("it can be walked").steps;
        let none = Effort { time: None, most: 0, proves: false };
        let key = (invariant, Some(point));
        let Some(violated) = shrink_at(engine, key, &steps, 1, none, &mut |_| {}).expect("it can be told") else {
            continue;
        };
        let steps = violated.finding.schedule.steps;
        let is_it = violated.guilty[0].point.name == point;
        if is_it && latest.as_ref().is_none_or(|latest| steps.len() > latest.len()) {
            latest = Some(steps);
        }
    }
    let mut steps = latest?;
    // What is left of the further calls comes before a violation as well, and makes no difference to it.
    let calls = engine.kernel.calls().len() as u32;
    let is_left = |call: &u32| steps.iter().all(|step| step.root.call() != Some(*call));
    let left: Vec<u32> = (own..calls).filter(is_left).collect();
    for (nth, call) in left.into_iter().enumerate() {
        if steps.len() >= STEPS {
            break;
        }
        let place = nth * 7 % steps.len();
        steps.insert(place, call.to_string().parse().expect("the start of a call"));
    }
    let none = Effort { time: None, most: 0, proves: false };
    let still = shrink_at(engine, (invariant, Some(point)), &steps, 1, none, &mut |_| {}).expect("it can be told");
    still.filter(|still| still.guilty[0].point.name == point).map(|_| steps)
}

/// Writes docs/shrinking.md.
pub fn write_table() {
    let mut names: Vec<String> = std::fs::read_dir(corpus::folder())
        .expect("there is a corpus")
        .map(|entry| entry.expect("it can be read"))
        .filter(|entry| {
            let files = std::fs::read_dir(entry.path()).into_iter().flatten().flatten();
            files.into_iter().any(|file| file.path().extension().is_some_and(|end| end == "cx"))
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut out = String::from(
        "# Shrinking, measured\n\nFor each scenario of the corpus and the bug zoo with a counterexample: a random schedule of the \
         scenario with calls of up to three further methods (those that its observations read, 14 calls of each; fewer where an \
         oracle would have too much to compare with, none where it judges calls that are alone), filled up with such calls to 50 steps. \"before\" is what of it comes before \
         the violation. \"moves\" is what taking away and moving makes of it, \"after\" what the search for something simpler in \
         the scenario itself leaves, within 60 s; \"search\" is what an exhaustive search finds first. Sizes are faults, calls, \
         steps, with context switches in brackets. Written by `make shrinking`; times depend on the machine.\n\n\
         | scenario | invariant | before | moves | after | search | minimal | schedules followed | moves, search |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let (mut proved, mut equal, mut all) = (0, 0, 0);
    for name in &names {
        let row = shrink(name, Duration::from_secs(60));
        all += 1;
        proved += usize::from(row.minimal == Minimal::Proved);
        let (faults, steps, calls, switched) = row.before;
        let size = |(faults, calls, steps): Size| format!("{faults}, {calls}, {steps}");
        let _ = writeln!(
            out,
            "| {name} | {} | {faults}, {calls}, {steps} ({switched}) | {} | {} ({}) | {} | {} | {} | {:.0} ms, {:.0} ms |",
            row.invariant,
            size(row.moved),
            size(row.after),
            row.switches,
            size(row.searched),
            row.minimal.word(),
            row.tried,
            row.time.0.as_secs_f64() * 1000.0,
            row.time.1.as_secs_f64() * 1000.0,
        );
        equal += usize::from(row.after == row.searched);
        eprintln!("{name}: {row:?}");
    }
    let _ = writeln!(
        out,
        "\n{proved} of {all} are `minimal: proved`; {equal} of {all} are as small as what the search finds first."
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/shrinking.md");
    std::fs::write(file, out).expect("docs can be written");
}

/// Number of interleavings that violate an invariant, walked one by one.
pub fn violating(engine: &mut Embedded, invariant: usize) -> BigUint {
    let world = engine.start().clone();
    count(engine, &world, invariant, false)
}

fn count(engine: &mut Embedded, world: &World, invariant: usize, violated: bool) -> BigUint {
    let observations = engine.observe(world).expect("it can be observed");
    let calls = engine.calls(world);
    let view = engine.view(world, &observations, &calls);
    let expr = engine.scenario.invariants[invariant].expr().expect("an expression");
    let violated = violated || view.quiet && expr.eval(&view) == Ok(false);
    let mut choices = Vec::new();
    engine.kernel.choices(world, &mut choices).expect("they can be told");
    let complete = engine.kernel.is_complete(world, &choices);
    let mut sum = BigUint::from(u32::from(complete && violated));
    for choice in choices {
        let next = engine.kernel.apply(world, &choice).expect("it can be made").0;
        sum += count(engine, &next, invariant, violated) * choice.multiplicity;
    }
    sum
}
