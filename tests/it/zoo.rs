//! The bug zoo, `corpus/zoo-t01` to `zoo-t21`: each buggy method is found by generic oracles, and its correct twin holds.
//!
//! The twin of `scenario.toml` is `fixed.toml`: the same canister, faults, bounds and oracles, with `<method>_fixed` in place
//! of the method.

mod table;

use std::path::{Path, PathBuf};

use canloom::counterexample::{Counterexample, replay};
use canloom::explore::{Explored, Finding};
use canloom::scenario::Scenario;

use super::corpus;
use super::stage::explore_all;

/// A class, what finds the bug first, with how many calls, faults and deliveries; and what else shows it on the way.
type Row = (&'static str, &'static str, (u32, u32, u32), &'static [&'static str]);

const ZOO: [Row; 21] = [
    ("t01", "conserve", (2, 0, 6), &["serializable"]),
    ("t02", "serializable", (2, 0, 6), &[]),
    ("t03", "probe: till.pay", (1, 1, 2), &[]),
    ("t04", "conserve", (1, 1, 2), &["no-callback-trap: vault"]),
    ("t05", "conserve", (1, 1, 2), &["err-is-noop: vault.withdraw"]),
    ("t06", "conserve", (1, 1, 3), &[]),
    ("t07", "conserve", (1, 1, 5), &[]),
    ("t08", "conserve", (1, 1, 3), &[]),
    ("t09", "stop-terminates: notifier", (1, 0, 2), &[]),
    ("t10", "conserve", (1, 1, 3), &[]),
    ("t11", "conserve", (1, 0, 7), &[]),
    ("t12", "conserve", (1, 1, 4), &["err-is-noop: payroll.pay"]),
    ("t13", "conserve", (0, 0, 9), &[]),
    ("t14", "serializable", (2, 0, 10), &[]),
    ("t15", "conserve", (1, 1, 1), &["err-is-noop: proxy.rate"]),
    ("t16", "conserve", (1, 1, 4), &["err-is-noop: exchange.swap"]),
    ("t17", "err-is-noop: swaps.swap", (1, 0, 3), &[]),
    ("t18", "conserve", (1, 1, 2), &[]),
    ("t19", "conserve", (2, 0, 6), &["no-callback-trap: desk", "serializable"]),
    ("t20", "conserve", (1, 1, 3), &[]),
    ("t21", "conserve", (2, 0, 6), &[]),
];

fn folder(class: &str) -> PathBuf {
    corpus::folder().join(format!("zoo-{class}"))
}

/// What a search found, which is one thing.
fn only_finding<'a>(explored: &'a Explored, class: &str) -> &'a Finding {
    let [finding] = &explored.findings[..] else { panic!("{class}: {:?}", explored.findings) };
    finding
}

/// The only counterexample in the folder.
fn counterexample(folder: &Path) -> (PathBuf, Counterexample) {
    let files = std::fs::read_dir(folder).expect("a folder of the corpus").map(|entry| entry.expect("readable").path());
    let files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "cx")).collect();
    let [file] = &files[..] else { panic!("{}: {files:?}", folder.display()) };
    (file.clone(), Counterexample::read(file).unwrap_or_else(|error| panic!("{error}")))
}

/// Explores a bug, compares the finding and its committed counterexample with what is expected, and replays it.
fn assert_found(class: &str, oracle: &str, size: (u32, u32, u32), also: &[&str]) {
    let folder = folder(class);
    let mut engine = corpus::open(&folder.join("scenario.toml"));
    let scenario = engine.scenario.clone();
    let explored = explore_all(&mut engine).folded(&scenario);
    let finding = only_finding(&explored, class);
    let name = |at: usize| scenario.invariants[at].name.as_str();
    assert_eq!(name(finding.invariant), oracle, "{class}");
    assert_eq!((finding.calls, finding.faults, finding.deliveries), size, "{class}");
    assert_eq!(finding.also.iter().map(|at| name(*at)).collect::<Vec<_>>(), also, "{class}");

    let (file, known) = counterexample(&folder);
    // Which one of several that are as simple is found depends on the compiled module.
    let steps = (known.schedule.steps.len(), finding.schedule.steps.len());
    assert_eq!((known.invariant.as_str(), steps.0), (oracle, steps.1), "{class}");
    assert_eq!(file.file_name().expect("a file").to_string_lossy(), known.file_name(&scenario.name));
    let replayed = replay(&mut engine, &known.schedule, Some(finding.invariant));
    let violated = replayed.unwrap_or_else(|error| panic!("{class}: {error}")).violated.map(|(step, _)| step);
    assert_eq!(violated, Some(known.schedule.steps.len()), "{class}: violated after the last step, not before");
}

#[test]
fn each_bug_of_the_zoo_is_found_by_its_oracle_and_its_counterexample_replays() {
    for (class, oracle, size, also) in ZOO {
        assert_found(class, oracle, size, also);
    }
}

#[test]
fn each_correct_twin_of_the_zoo_holds_in_every_world() {
    for (class, ..) in ZOO {
        let mut engine = corpus::open(&folder(class).join("fixed.toml"));
        // That the search is exhaustive is asserted there.
        let explored = explore_all(&mut engine);
        assert!(explored.findings.is_empty(), "{class}: {:?}", explored.findings);
        assert!(explored.undecided.is_empty(), "{class}: {:?}", explored.undecided);
    }
}

#[test]
fn a_twin_of_the_zoo_differs_in_the_method_only() {
    let lines = |text: &str| -> Vec<String> {
        let told = text.lines().filter(|line| !line.starts_with("name = ") && !line.starts_with("about = "));
        told.map(|line| line.replace("_fixed\"", "\"")).collect()
    };
    for (class, ..) in ZOO {
        let [bug, fixed] = ["scenario.toml", "fixed.toml"].map(|file| {
            let file = folder(class).join(file);
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        });
        assert!(!bug.contains("_fixed") && fixed.contains("_fixed"), "{class}");
        assert_eq!(lines(&bug), lines(&fixed), "{class}");
    }
}

#[test]
fn the_zoo_needs_no_invariant_of_its_own_and_is_all_there() {
    let entries = std::fs::read_dir(corpus::folder()).expect("there is a corpus");
    let names = entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned());
    let mut classes: Vec<String> = names.filter_map(|name| Some(name.strip_prefix("zoo-")?.to_string())).collect();
    classes.sort();
    assert_eq!(classes, ZOO.map(|(class, ..)| class));
    for (class, ..) in ZOO {
        let scenario = Scenario::load(&folder(class).join("scenario.toml")).unwrap_or_else(|error| panic!("{error}"));
        assert!(scenario.invariants.iter().all(|invariant| invariant.is_generic), "{class}");
    }
}
