//! The table of the zoo, docs/zoo.md; twins with every oracle on; canaries that every way to search must find.
//!
//! `make zoo` writes the table anew (`ZOO=write`); every run of the tests compares it, but for worlds and times, which depend
//! on compiler and machine.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Completeness, Explored, Grade, explore};
use canloom::report::{Verdict, grade};
use canloom::sample::{Sampling, sample};
use canloom::scenario::Scenario;
use canloom::scheduler::Strategy;

use super::super::divided::merged;

const CLASSES: u32 = 21;
/// Bugs that every way to search must find: a race of two calls, and one that needs a fault.
const CANARIES: [u32; 2] = [1, 5];
/// The text of docs/zoo.md before the table.
const HEAD: &str = "# The bug zoo\n\nEach class of await bugs as a small canister in `canisters/zoo/`, the buggy method beside \
its corrected twin, with a scenario for each in `corpus/zoo-*/`: `scenario.toml` and `fixed.toml`. Written by `make zoo`; a \
test compares it with a fresh run. Worlds depend on the compiled modules, times on the machine.\n\n";

fn folder(class: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("corpus/zoo-t{class:02}"))
}

fn scenario(file: &Path) -> Scenario {
    Scenario::load(file).unwrap_or_else(|error| panic!("{error}"))
}

fn open(scenario: Scenario) -> Embedded {
    Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"))
}

fn search(engine: &mut Embedded, workers: usize) -> Explored {
    let budget = Budget { workers, ..Budget::default() };
    let explored = explore(engine, &budget, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(explored.completeness, Completeness::Exhaustive, "{}", engine.scenario.name);
    explored.folded(&engine.scenario)
}

/// One line of the table, as its cells.
fn row(class: u32) -> Vec<String> {
    let began = Instant::now();
    let mut engine = open(scenario(&folder(class).join("scenario.toml")));
    let explored = search(&mut engine, 1);
    let scenario = &engine.scenario;
    assert_eq!(Verdict::of(scenario, &explored), Verdict::Violated, "zoo-t{class:02} is violated");
    let time = began.elapsed();
    let finding = &explored.findings[0];
    let mut names = vec![scenario.invariants[finding.invariant].name.clone()];
    names.extend(finding.also.iter().map(|&at| scenario.invariants[at].name.clone()));
    let needs_text = !scenario.invariants[finding.invariant].is_generic;
    vec![
        format!("T{class}"),
        scenario.about.clone(),
        names.join(", ") + if needs_text { " (written by hand)" } else { "" },
        finding.calls.to_string(),
        finding.faults.to_string(),
        finding.deliveries.to_string(),
        grade(finding.grade).to_string(),
        twin(class),
        explored.worlds.to_string(),
        format!("{} ms", time.as_millis()),
    ]
}

/// What is said of the corrected twin.
fn twin(class: u32) -> String {
    let mut engine = open(scenario(&folder(class).join("fixed.toml")));
    let explored = search(&mut engine, 1);
    Verdict::of(&engine.scenario, &explored).word().to_string()
}

/// Columns that are the same on every machine.
const COMPARED: usize = 8;

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

#[test]
fn the_table_of_the_zoo_is_that_of_a_fresh_run() {
    let titles = "class | what goes wrong | found by | calls | faults | deliveries | grade | twin | worlds | time";
    let titles: Vec<String> = titles.split(" | ").map(String::from).collect();
    let rows: Vec<Vec<String>> = (1..=CLASSES).map(row).collect();
    for row in &rows {
        assert_eq!(row[7], "held", "{}", row[0]);
    }
    let by_oracle = rows.iter().filter(|row| !row[2].ends_with("(written by hand)")).count();
    assert!(by_oracle >= 15, "{by_oracle} are found by oracles that need no text");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/zoo.md");
    let rule: Vec<String> = titles.iter().map(|_| "---".to_string()).collect();
    let mut text = HEAD.to_string() + &line(&titles) + &line(&rule);
    rows.iter().for_each(|row| text += &line(row));
    let _ = write!(text, "\n{by_oracle} of {CLASSES} are found by oracles that need no text.\n");
    if std::env::var_os("ZOO").is_some_and(|zoo| zoo == "write") {
        std::fs::write(&file, &text).expect("docs/zoo.md can be written");
    }
    let documented = std::fs::read_to_string(&file).expect("docs/zoo.md is there");
    let compared = |text: &str| -> Vec<String> {
        let cells = |line: &str| line.split(" | ").take(COMPARED).collect::<Vec<_>>().join(" | ");
        text.lines().map(cells).collect()
    };
    assert_eq!(compared(&documented), compared(&text), "docs/zoo.md is out of date: run `make zoo`");
}

#[test]
fn twins_hold_with_every_oracle_on_but_for_traps_that_a_fault_leads_to() {
    for class in 1..=CLASSES {
        let file = folder(class).join("fixed.toml");
        let text = std::fs::read_to_string(&file).expect("a twin");
        assert!(text.contains("[check]\n"), "zoo-t{class:02} has oracles");
        let own = scenario(&file);
        let text = text.replace("[check]\n", "[check]\nall = true\n");
        let all = Scenario::from_text(&file, &text).unwrap_or_else(|error| panic!("{error}"));
        assert!(all.invariants.len() > own.invariants.len(), "zoo-t{class:02}");
        let mut engine = open(all);
        let explored = search(&mut engine, 1);
        let name = |at: usize| engine.scenario.invariants[at].name.as_str();
        let alarms: Vec<&str> = (explored.findings.iter())
            .filter(|finding| matches!(finding.grade, Grade::A | Grade::B))
            .map(|finding| name(finding.invariant))
            .collect();
        assert_eq!(alarms, [""; 0], "zoo-t{class:02}: correct code is flagged");
    }
}

#[test]
fn canaries_are_found_by_every_strategy_with_any_number_of_workers_and_in_shards() {
    for class in CANARIES {
        let mut engine = open(scenario(&folder(class).join("scenario.toml")));
        let first = search(&mut engine, 1).findings[0].invariant;
        let is_found = |explored: &Explored| explored.findings.iter().any(|finding| finding.invariant == first);
        assert!(is_found(&search(&mut engine, 2)), "zoo-t{class:02}, 2 workers");
        assert!(is_found(&merged(&engine, 3)), "zoo-t{class:02}, 3 shards");
        for strategy in [Strategy::Random, Strategy::Pos, Strategy::Pct, Strategy::Turns] {
            for seed in 0..3 {
                let schedules = 2_000;
                let sampling = Sampling { strategy, seed, schedules, time: None, workers: 2, until_found: false };
                let sampled = sample(&mut engine, &sampling, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
                assert!(is_found(&sampled), "zoo-t{class:02}, {strategy:?}, seed {seed}");
            }
        }
    }
}
