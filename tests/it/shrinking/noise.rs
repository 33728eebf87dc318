//! Schedules of fifty steps, most of which have nothing to do with the bug.
//!
//! A scenario of the corpus gets calls of up to three further methods, those that its observations read; then schedules are drawn
//! until a long one violates the invariant that an exhaustive search of the scenario itself violates.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use canloom::engine::embedded::Embedded;
use canloom::explore::Minimal;
use canloom::kernel::World;
use canloom::sample::schedule;
use canloom::scenario::Scenario;
use canloom::scheduler::Strategy;
use canloom::shrink::{Effort, shrink as shrink_steps, switches};
use num_bigint::BigUint;

use super::corpus;
use crate::stage::explore_all;

/// Calls of each further method, and most steps.
const CALLS: u32 = 6;
const STEPS_MAX: usize = 50;
/// Schedules drawn for one that is long enough.
const DRAWN: u64 = 400;

/// Faults, calls and steps.
type Size = (u32, u32, usize);

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// Invariant.
    pub invariant: String,
    /// Faults and steps of the schedule that was drawn, with its calls and context switches.
    pub before: (u32, usize, u32, u32),
    /// Size after shrinking, and the context switches.
    pub after: Size,
    /// See above.
    pub switches: u32,
    /// The size that the search finds.
    pub searched: Size,
    /// What is known about simpler ones.
    pub minimal: Minimal,
    /// Schedules followed.
    pub tried: u64,
    /// Time.
    pub time: Duration,
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

/// Draws a long schedule of a scenario of the corpus, and shrinks it within this time.
pub fn shrink(name: &str, time: Duration) -> Row {
    let file = corpus::folder().join(name).join("scenario.toml");
    let mut own = open(&file, 0);
    let scenario = own.scenario.clone();
    let explored = explore_all(&mut own).folded(&scenario);
    let finding = &explored.findings[0];
    let searched = (finding.faults, finding.calls, finding.schedule.steps.len());
    let invariant = scenario.invariants[finding.invariant].name.clone();
    let mut engine = open(&file, CALLS);
    let at = engine.scenario.invariants.iter().position(|other| other.name == invariant).expect("the same invariants");
    let mut longest: Option<(usize, Vec<canloom::schedule::Step>)> = None;
    for number in 0..DRAWN {
        if longest.as_ref().is_some_and(|(most, _)| *most >= STEPS_MAX - 2) {
            break;
        }
        let mut steps = schedule(&mut engine, Strategy::Random, 1, number).expect("it can be walked").steps;
        steps.truncate(STEPS_MAX);
        let quick = Effort { time: None, most: 0, proves: false };
        let Some(violated) = shrink_steps(&mut engine, at, &steps, 1, quick, &mut |_| {}).unwrap() else { continue };
        let length = violated.finding.schedule.steps.len();
        if longest.as_ref().is_none_or(|(most, _)| length > *most) {
            longest = Some((length, steps));
        }
    }
    let (_, steps) = longest.unwrap_or_else(|| panic!("{name}: no schedule violates it"));
    let began = Instant::now();
    let effort = Effort { time: Some(time), most: u64::MAX, proves: true };
    let shrunk = shrink_steps(&mut engine, at, &steps, 1, effort, &mut |_| {}).unwrap().expect("it is violated");
    let before = &shrunk.before;
    let after = shrunk.finding.schedule.steps.iter().collect::<Vec<_>>();
    Row {
        invariant,
        before: (
            u32::from(before.rank.faults),
            before.rank.steps as usize,
            u32::from(before.rank.calls),
            before.switches,
        ),
        after: (shrunk.finding.faults, shrunk.finding.calls, shrunk.finding.schedule.steps.len()),
        switches: switches(&after),
        searched,
        minimal: shrunk.finding.minimal,
        tried: shrunk.tried,
        time: began.elapsed(),
    }
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
        "# Shrinking, measured\n\nFor each scenario of the corpus and the bug zoo with a counterexample: a random schedule of up to 50 \
         steps that violates the invariant, drawn from the scenario with calls of up to three further methods (those that its \
         observations read, six calls of each), and what `canloom shrink` makes of it within 60 s. Faults, calls, context \
         switches, steps. \"search\" is what an exhaustive search of the scenario itself finds first. Written by \
         `make shrinking`; times depend on the machine.\n\n\
         | scenario | invariant | before | after | search | minimal | schedules followed | time |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let (mut proved, mut all) = (0, 0);
    for name in &names {
        let row = shrink(name, Duration::from_secs(60));
        all += 1;
        proved += usize::from(row.minimal == Minimal::Proved);
        let (faults, steps, calls, switched) = row.before;
        let (f, c, s) = row.after;
        let (sf, sc, ss) = row.searched;
        let _ = writeln!(
            out,
            "| {name} | {} | {faults}, {calls}, {switched}, {steps} | {f}, {c}, {}, {s} | {sf}, {sc}, {ss} | {} | {} | {:.1} s |",
            row.invariant,
            row.switches,
            row.minimal.word(),
            row.tried,
            row.time.as_secs_f64()
        );
        eprintln!("{name}: {row:?}");
    }
    let _ = writeln!(out, "\n{proved} of {all} are `minimal: proved`.");
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
