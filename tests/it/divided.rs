//! A search divided among threads, or among runs whose reports are merged, finds what one thread of one run finds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use canloom::counterexample::Counterexample;
use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Explored, Shard, explore};
use canloom::report::Verdict;
use canloom::report::merge::{MergeError, merge};
use canloom::report::part::{Origin, Part};
use canloom::scenario::{BoundName, Scenario};

use super::stage::{Stage, call, observe};
use super::wat_canister::{Wait, forwarder, ledger};

/// Scenarios with faults, timers, a time step, heartbeats and upgrades.
const SCENARIOS: [&str; 6] = ["vault-stale", "vault-rollback", "timer", "heartbeat", "upgrade", "outcall"];

fn open(scenario: &str) -> Embedded {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(scenario).join("scenario.toml");
    let scenario = Scenario::load(&file).unwrap_or_else(|error| panic!("{error}"));
    Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}"))
}

fn search(engine: &mut Embedded, workers: usize, shard: Option<Shard>) -> Explored {
    let budget = Budget { workers, shard, ..Budget::default() };
    explore(engine, &budget, &mut |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

/// All that was found, but for the time it took.
fn text(explored: &Explored) -> String {
    format!("{:#?}", Explored { elapsed: Duration::ZERO, ..explored.clone() })
}

/// What a share found, as its report says it. Counterexamples are those of the search, with no text for people.
fn part(engine: &Embedded, identity: &str, explored: &Explored) -> Part {
    let scenario = &engine.scenario;
    let counterexample =
        |finding: &canloom::explore::Finding| Counterexample::of(engine, finding.invariant, finding.schedule.clone());
    let origin = Origin {
        scenario: scenario.file.clone(),
        scenario_sha256: scenario.sha256.clone(),
        bounds: Vec::new(),
        identity: identity.to_string(),
    };
    let texts = explored.findings.iter().map(|finding| (counterexample(finding).text(), String::new())).collect();
    let part = Part::new(explored.shard.expect("a share"), origin, explored, texts);
    // As it goes through a file.
    serde_json::from_str(&serde_json::to_string(&part).expect("JSON")).expect("JSON")
}

/// What so many shards of a search find together.
pub fn merged(engine: &Embedded, of: u32) -> Explored {
    merge(&engine.scenario, &parts(engine, of)).unwrap_or_else(|error| panic!("{error}")).explored
}

/// Executions are shared with the engine's, so those of a share are not all counted.
fn parts(engine: &Embedded, of: u32) -> Vec<(String, Part)> {
    let share = |index| {
        let mut engine = engine.fork();
        let explored = search(&mut engine, 1, Some(Shard { index, of }));
        (format!("{index}.json"), part(&engine, "one search", &explored))
    };
    (1..=of).map(share).collect()
}

#[test]
fn report_is_the_same_for_any_number_of_workers() {
    for name in SCENARIOS {
        let alone = text(&search(&mut open(name), 1, None));
        for workers in [2, 3] {
            assert_eq!(text(&search(&mut open(name), workers, None)), alone, "{name}, {workers} workers");
        }
    }
}

#[test]
fn shards_together_find_what_one_run_finds() {
    for name in SCENARIOS {
        let engine = &mut open(name);
        let whole = search(engine, 1, None);
        for of in [1, 2, 3, 5] {
            let explored = merged(engine, of);
            assert!(explored.worlds >= whole.worlds);
            let verdict = |explored| Verdict::of(&engine.scenario, explored);
            assert_eq!(verdict(&explored), verdict(&whole), "{name}, {of} shards");
            // Sums over shards may count a world, and what is done in it, more than once.
            let mut same = Explored {
                worlds: whole.worlds,
                executions: whole.executions,
                deliveries: whole.deliveries,
                complete: whole.complete,
                by_faults: whole.by_faults.clone(),
                ..explored
            };
            for (finding, alone) in same.findings.iter_mut().zip(&whole.findings) {
                assert!(finding.worlds >= alone.worlds);
                finding.worlds = alone.worlds;
            }
            assert_eq!(text(&same), text(&whole), "{name}, {of} shards");
        }
    }
}

#[test]
fn a_search_that_is_too_small_to_be_divided_is_done_by_each_shard_and_counted_once() {
    let stage = Stage::new(&[ledger()], &format!("{}{}", call("a", 0, "t", ""), observe(0, "total")));
    let scenario = Arc::new(Scenario::load(&stage.file("scenario.toml")).unwrap());
    let share = |index| {
        let mut engine = Embedded::open(scenario.clone()).unwrap();
        let identity = canloom::explore::identity(&engine);
        let explored = search(&mut engine, 1, Some(Shard { index, of: 3 }));
        (index.to_string(), part(&engine, &identity, &explored))
    };
    let parts: Vec<(String, Part)> = (1..=3).map(share).collect();
    let interleavings: Vec<Option<&str>> = parts.iter().map(|(_, part)| part.interleavings.as_deref()).collect();
    assert_eq!(interleavings, [Some("1"), Some("0"), Some("0")]);
    assert_eq!(merge(&scenario, &parts).unwrap().explored.interleavings, Some(1u32.into()));
}

#[test]
fn reports_that_are_not_all_shards_of_one_search_are_refused() {
    let stage = Stage::new(
        &[forwarder(&[1], Wait::Unbounded), ledger()],
        &format!("{}{}", call("a", 0, "w", "args = \"(1 : nat32)\""), observe(1, "total")),
    );
    let scenario = Arc::new(Scenario::load(&stage.file("scenario.toml")).unwrap());
    let share = |index| {
        let mut engine = Embedded::open(scenario.clone()).unwrap();
        let identity = canloom::explore::identity(&engine);
        let explored = search(&mut engine, 1, Some(Shard { index, of: 3 }));
        (format!("{index}.json"), part(&engine, &identity, &explored))
    };
    let all: Vec<(String, Part)> = (1..=3).map(share).collect();
    let refused = |parts: &[(String, Part)]| merge(&scenario, parts).unwrap_err().to_string();
    assert_eq!(merge(&scenario, &[]).unwrap_err(), MergeError::Nothing);
    let needed = "all shards are needed: canloom explore SCENARIO --shard i/3 --json FILE";
    assert_eq!(refused(&all[..2]), format!("the report of shard 3 of 3 is missing; {needed}"));
    assert_eq!(refused(&all[2..]), format!("the reports of shards 1, 2 of 3 are missing; {needed}"));
    let twice = [all[0].clone(), all[1].clone(), ("again.json".to_string(), all[1].1.clone())];
    assert_eq!(refused(&twice), "2.json and again.json are both reports of shard 2 of 3; name each once");
    let changed = |change: &dyn Fn(&mut Part)| {
        let mut parts = all.clone();
        change(&mut parts[1].1);
        refused(&parts)
    };
    let remedy = "run all shards with the same scenario, modules, --bound and number of shards";
    let differ = |what: &str| format!("1.json and 2.json are not reports of one search: {what} differs; {remedy}");
    assert_eq!(changed(&|part| part.tool = "0.0.1".to_string()), differ("the version of canloom"));
    assert_eq!(changed(&|part| part.shard.of = 4), differ("the number of shards"));
    assert_eq!(changed(&|part| part.scenario_sha256 = String::new()), differ("the scenario file"));
    assert_eq!(changed(&|part| part.identity = String::new()), differ("a module"));
    assert_eq!(changed(&|part| part.bounds.push((BoundName::Faults, 0))), differ("a `--bound`"));
    assert_eq!(changed(&|part| part.interleavings = Some("+5".into())), "2.json: `+5` is not a number");
    assert_eq!(changed(&|part| part.shard.index = 9), "2.json: there is no shard 9 of 3");
    assert_eq!(changed(&|part| part.interleavings = Some("many".into())), "2.json: `many` is not a number");
    assert_eq!(
        changed(&|part| part.sometimes.push((7, true))),
        "2.json: a `sometimes` that the scenario does not have"
    );
    let mut other = all.clone();
    other.iter_mut().for_each(|(_, part)| part.scenario_sha256 = "00".to_string());
    assert!(refused(&other).starts_with("1.json: not a report on "), "{}", refused(&other));
}
