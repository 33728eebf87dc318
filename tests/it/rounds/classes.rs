//! Scripts for the counterexamples of the corpus, and their classes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use canloom::counterexample::{Counterexample, replay};
use canloom::engine::embedded::Embedded;
use canloom::rounds::Aim;
use canloom::rounds::class::{Class, classify};
use canloom::rounds::search::{Planned, plan};
use canloom::scenario::{Bounds, Scenario};
use canloom::schedule::Schedule;

use super::super::corpus;
use super::{names, played};

/// A counterexample, its class and script, and what a script for PocketIC needs.
type Row = (&'static str, &'static str, &'static str, &'static str);

const TRAP: &str = "0.1rt: a driver cannot make a callback trap that does not trap by itself";
const ONE: &str = "submit 0; tick";
const BLOCK: &str = "submit 0; submit 1; tick";

/// In order of files.
const CORPUS: [Row; 30] = [
    ("answers-overtake", "spec-only", "", "no order of rounds"),
    ("heartbeat", "loaded-round", "submit 0; tick; tick loaded; tick", "idle-round"),
    ("heartbeat", "loaded-round", "submit 0; tick; tick loaded; tick", "idle-round"),
    ("outcall", "idle-round", "submit 0; submit 1; tick; tick; serve 0.1; serve 1.1; tick; tick", "idle-round"),
    ("timer", "idle-round", "advance @1; tick", "idle-round"),
    ("upgrade", "loaded-round", "submit 0; tick loaded; do till.upgrade1", "idle-round"),
    ("upgrade", "loaded-round", "submit 0; tick loaded; do till.upgrade1", "loaded-round"),
    ("vault-rollback", "idle-round", ONE, "idle-round"),
    ("vault-stale", "idle-round", BLOCK, "idle-round"),
    ("zoo-t01", "idle-round", BLOCK, "idle-round"),
    ("zoo-t02", "idle-round", BLOCK, "idle-round"),
    ("zoo-t03", "idle-round", ONE, "idle-round"),
    ("zoo-t04", "idle-round", ONE, "idle-round"),
    ("zoo-t05", "idle-round", ONE, "idle-round"),
    ("zoo-t06", "loaded-round", "submit 0; tick loaded; advance 302s; tick", "idle-round"),
    ("zoo-t07", "loaded-round", "submit 0; tick loaded; advance 302s; tick", "idle-round"),
    ("zoo-t08", "idle-round", ONE, TRAP),
    ("zoo-t09", "idle-round", ONE, "idle-round"),
    ("zoo-t10", "loaded-round", "submit 0; tick loaded; do vault.upgrade1", "idle-round"),
    ("zoo-t11", "cross-subnet", "apart: ledger; submit 0; tick; tick", "idle-round"),
    // Of two requests that are sent together to one callee, one is rejected: no round does that.
    ("zoo-t12", "idle-round", ONE, "no order of rounds"),
    ("zoo-t13", "idle-round", "advance @1; advance @1; tick", "idle-round"),
    ("zoo-t14", "idle-round", BLOCK, "idle-round"),
    ("zoo-t15", "idle-round", ONE, "0p1: a driver cannot keep one chosen call of a canister from being performed"),
    ("zoo-t16", "idle-round", ONE, "idle-round"),
    ("zoo-t17", "idle-round", "submit 1; tick", "idle-round"),
    ("zoo-t18", "idle-round", ONE, "idle-round"),
    ("zoo-t19", "idle-round", BLOCK, "idle-round"),
    ("zoo-t20", "idle-round", ONE, "0.1rp1: a driver cannot keep one chosen call of a canister from being performed"),
    ("zoo-t21", "idle-round", BLOCK, "idle-round"),
];

/// A counterexample with its scenario, whose bounds leave room for tasks in every round, and the invariant.
fn open(file: &Path) -> (Embedded, Counterexample, usize) {
    let found = Counterexample::read(file).unwrap_or_else(|error| panic!("{error}"));
    let scenario = file.parent().expect("a folder").join(&found.scenario);
    let mut scenario = Scenario::load(&scenario).unwrap_or_else(|error| panic!("{error}"));
    let more = |bounds: Bounds| Bounds { heartbeats: 20, timers: 20, ..bounds };
    (scenario.bounds, scenario.own_bounds) = (more(scenario.bounds), more(scenario.own_bounds));
    let at = scenario.invariants.iter().position(|invariant| invariant.name == found.invariant).expect("an invariant");
    (Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}")), found, at)
}

fn counterexamples() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(corpus::folder()).expect("there is a corpus");
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.expect("readable").path()).expect("a folder"));
    let files = files.map(|file| file.expect("readable").path());
    let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "cx")).collect();
    files.sort();
    files
}

fn folder(file: &Path) -> String {
    file.parent().and_then(Path::file_name).expect("a folder").to_string_lossy().into_owned()
}

/// Lines of a script as one.
fn one_line(script: &impl std::fmt::Display) -> String {
    script.to_string().trim().replace('\n', "; ")
}

#[test]
fn every_counterexample_has_a_class_and_a_script_for_pocket_ic_or_a_reason_why_not() {
    let files = counterexamples();
    assert_eq!(files.len(), CORPUS.len());
    for (file, (name, class, script, for_pocket_ic)) in files.iter().zip(CORPUS) {
        assert_eq!(folder(file), name);
        let (mut engine, found, invariant) = open(file);
        assert_class(&mut engine, &found, invariant, (name, class, script));
        assert_script(&mut engine, &found, invariant, (name, for_pocket_ic));
    }
}

/// The order that the label is about violates the invariant at its end, and not before.
fn assert_class(
    engine: &mut Embedded,
    found: &Counterexample,
    invariant: usize,
    (name, class, script): (&str, &str, &str),
) {
    let labelled = classify(engine, &found.schedule, invariant).unwrap();
    let own = labelled.script.as_ref().map_or(String::new(), one_line);
    assert_eq!(
        (labelled.class.map(Class::word), own.as_str(), labelled.is_cut),
        (Some(class), script, false),
        "{name}"
    );
    if labelled.class == Some(Class::SpecOnly) {
        return;
    }
    let schedule = Schedule { steps: labelled.steps };
    let replayed = replay(engine, &schedule, Some(invariant)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let violated = replayed.violated.map(|(step, _)| step);
    assert_eq!(violated, Some(schedule.steps.len()), "{name}: {}", names(&schedule.steps));
}

/// The script comes to the steps that are said, and they violate the invariant.
fn assert_script(engine: &mut Embedded, found: &Counterexample, invariant: usize, (name, expected): (&str, &str)) {
    let (result, found) = match plan(engine, &found.schedule, invariant, Aim::PocketIc).unwrap() {
        Planned::Found { class, script, steps, is_cut: false } => (class.to_string(), Some((script, steps))),
        Planned::NotFound { is_cut: false } => ("no order of rounds".to_string(), None),
        Planned::NotExpressible { reason } => (reason, None),
        cut => panic!("{name}: {cut:?}"),
    };
    assert_eq!(result, expected, "{name}");
    let Some((script, steps)) = found else { return };
    let (_, lines) = played(engine, &script.to_string(), Aim::PocketIc);
    assert_eq!(lines.replace(" | ", " "), names(&steps), "{name}");
    let replayed = replay(engine, &Schedule { steps }, Some(invariant)).unwrap_or_else(|error| panic!("{error}"));
    assert!(replayed.violated.is_some(), "{name}: {}", one_line(&script));
}

#[test]
fn a_slow_callee_lets_calls_in_for_as_many_rounds_as_it_runs() {
    let mut engine = corpus::open(&corpus::folder().join("counter/scenario.toml"));
    let (world, steps) = played(&mut engine, "submit 0; tick; submit 1; tick; tick; tick; submit 2; tick", Aim::Label);
    assert_eq!(steps, "0 | 1 | 2");
    assert_eq!(engine.observe(&world).unwrap()[0].to_string(), "3");
    let mut ends = |ticks: usize| {
        let script = format!("submit 0{}", "; tick".repeat(ticks));
        played(&mut engine, &script, Aim::Label).1 == "0 | 0.1 0.1r"
    };
    // How many instructions it has depends on the compiler; 2 billion are a round.
    assert!(!ends(10) && ends(25));
}
