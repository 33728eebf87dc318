//! Sampled schedules on the corpus: what they find, that they are legal, and that a seed says all.

mod command_line;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use canloom::counterexample::replay;
use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Completeness, Explored};
use canloom::portfolio::{self, Portfolio};
use canloom::report::Verdict;
use canloom::report::json::Report;
use canloom::sample::{Sampling, sample, schedule};
use canloom::scenario::Scenario;
use canloom::scheduler::Strategy;

use super::corpus::explored;

const STRATEGIES: [Strategy; 3] = [Strategy::Random, Strategy::Pos, Strategy::Pct];
/// Scenarios in which no message burns billions of instructions.
const QUICK: [&str; 10] = [
    "vault-stale",
    "vault-rollback",
    "vault-sound",
    "outcall",
    "timer",
    "heartbeat",
    "heartbeat-fixed",
    "upgrade",
    "upgrade-fixed",
    "upgrade-stopped",
];

fn open(name: &str) -> Embedded {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name).join("scenario.toml");
    let scenario = Scenario::load(&file).unwrap_or_else(|error| panic!("{error}"));
    Embedded::open(Arc::new(scenario)).unwrap_or_else(|error| panic!("{error}; run `make canisters`"))
}

fn sampling(strategy: Strategy, seed: u64, schedules: u64) -> Sampling {
    Sampling { strategy, seed, schedules, time: None, workers: 1, until_found: false }
}

fn sampled(engine: &mut Embedded, sampling: &Sampling) -> Explored {
    sample(engine, sampling, &mut |_| {}).expect("the engine offers what the canisters use")
}

#[test]
fn every_strategy_finds_the_bug_of_vault_stale_within_100_schedules_for_20_seeds() {
    let mut engine = open("vault-stale");
    for strategy in STRATEGIES {
        for seed in 0..20 {
            let explored = sampled(&mut engine, &sampling(strategy, seed, 100));
            let [finding] = &explored.findings[..] else { panic!("{strategy:?}, seed {seed}: {explored:?}") };
            assert_eq!((finding.calls, finding.faults), (2, 0), "{strategy:?}, seed {seed}: trimmed to what is needed");
            assert_eq!(finding.schedule.steps.len(), 6, "{strategy:?}, seed {seed}: {}", finding.schedule);
            assert_eq!(Verdict::of(&engine.scenario, &explored), Verdict::Violated);
        }
    }
}

#[test]
fn a_sampled_schedule_has_only_legal_steps() {
    for name in QUICK {
        let mut engine = open(name);
        for strategy in STRATEGIES {
            for number in 0..30 {
                let schedule = schedule(&mut engine, strategy, 42, number).expect("the engine offers it");
                let replayed = replay(&mut engine, &schedule, None);
                replayed.unwrap_or_else(|error| panic!("{name}, {strategy:?}, schedule {number}: {error}\n{schedule}"));
            }
        }
    }
}

#[test]
fn what_sampling_sees_the_search_sees_too() {
    for name in QUICK {
        let all = explored(name);
        let mut engine = open(name);
        for strategy in STRATEGIES {
            let some = sampled(&mut engine, &sampling(strategy, 5, 400));
            let shown = format!("{name}, {strategy:?}");
            for (spent, outcomes) in &some.outcomes {
                assert!(outcomes.is_subset(&all.explored.outcomes[spent]), "{shown}: {outcomes:?}");
            }
            assert!(some.worlds <= all.explored.worlds && some.complete <= all.explored.complete, "{shown}");
            for finding in &some.findings {
                let known = all.explored.findings.iter().find(|known| known.invariant == finding.invariant);
                let known = known.unwrap_or_else(|| panic!("{shown}: a false alarm: {finding:?}"));
                assert!(known.rank() <= finding.rank() && finding.worlds <= known.worlds, "{shown}");
                let replayed = replay(&mut engine, &finding.schedule, Some(finding.invariant)).expect("it replays");
                assert_eq!(replayed.violated.map(|(step, _)| step), Some(finding.schedule.steps.len()), "{shown}");
            }
            for (at, seen) in &some.sometimes {
                assert!(!seen || all.explored.sometimes.contains(&(*at, true)), "{shown}");
            }
            assert_eq!(some.completeness, Completeness::Sampled);
            assert!(some.interleavings.is_none());
        }
    }
}

#[test]
fn every_violated_invariant_of_the_corpus_is_found_by_1000_schedules_of_each_strategy() {
    for name in ["vault-stale", "vault-rollback", "outcall", "timer", "heartbeat", "upgrade"] {
        let all = explored(name);
        let mut engine = open(name);
        for strategy in STRATEGIES {
            let some = sampled(&mut engine, &sampling(strategy, 1, 1_000));
            let found = |explored: &Explored| {
                let mut at: Vec<usize> = explored.findings.iter().map(|finding| finding.invariant).collect();
                at.sort();
                at
            };
            assert_eq!(found(&some), found(&all.explored), "{name}, {strategy:?}");
        }
    }
}

#[test]
fn one_seed_gives_one_report_with_any_number_of_threads() {
    for name in ["vault-rollback", "outcall"] {
        let report = |workers: usize, seed: u64| {
            let mut engine = open(name);
            let sampling = Sampling { workers, ..sampling(Strategy::Turns, seed, 3_000) };
            let mut explored = sampled(&mut engine, &sampling);
            explored.elapsed = Duration::ZERO;
            let files = vec![None; explored.findings.len()];
            let json = serde_json::to_string(&Report::new(&engine.scenario, &explored, &files)).expect("JSON");
            (json, format!("{explored:?}"))
        };
        let first = report(1, 9);
        assert_eq!(first, report(1, 9), "{name}");
        assert_eq!(first, report(3, 9), "{name}: threads");
        assert_ne!(first, report(1, 10), "{name}: another seed");
    }
}

#[test]
fn a_sound_scenario_is_inconclusive_when_it_is_sampled() {
    for name in ["vault-sound", "upgrade-fixed", "heartbeat-fixed"] {
        let mut engine = open(name);
        let explored = sampled(&mut engine, &sampling(Strategy::Turns, 0, 2_000));
        assert!(explored.findings.is_empty(), "{name}: {:?}", explored.findings);
        assert_eq!(Verdict::of(&engine.scenario, &explored), Verdict::Inconclusive, "{name}");
    }
}

#[test]
fn a_portfolio_samples_only_if_the_search_does_not_come_to_its_end() {
    let mut engine = open("vault-stale");
    let budget = Budget { time: Some(Duration::from_secs(600)), ..Budget::default() };
    let portfolio = Portfolio { budget, seed: 3, schedules: 500 };
    let whole = portfolio::run(&mut engine, &portfolio, &mut |_| {}).expect("it runs");
    assert_eq!((whole.completeness, &whole.sampled), (Completeness::Exhaustive, &None));

    let mut calls = String::new();
    for amount in 1..=8 {
        calls.push_str(&format!(
            "[[call]]\nid = \"w{amount}\"\nto = \"vault\"\nmethod = \"withdraw_stale\"\nby = [\"alice\"]\nargs = \"({amount} : nat64)\"\n"
        ));
    }
    let stage = super::stage::Stage::with_scenario(&vault_with(&calls, 8));
    let mut engine = stage.open();
    // Hundreds of millions of worlds: no machine visits them in two seconds.
    let budget = Budget { time: Some(Duration::from_secs(2)), ..budget };
    let some = portfolio::run(&mut engine, &Portfolio { budget, ..portfolio }, &mut |_| {}).expect("it runs");
    assert_eq!(some.completeness, Completeness::Budget);
    let sampled = some.sampled.as_ref().expect("it was sampled");
    assert!(sampled.schedules > 0 && sampled.seed == 3, "{sampled:?}");
    let [finding] = &some.findings[..] else { panic!("{:?}", some.findings) };
    assert_eq!((finding.calls, finding.faults), (2, 0));
    let eight = some.outcomes.keys().any(|&(calls, _)| calls == 8);
    assert!(eight, "schedules come to the end of eight calls, which the search does not: {:?}", some.outcomes.keys());
}

/// The scenario of vault-stale with other calls, from modules at absolute paths.
fn vault_with(calls: &str, most: usize) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("corpus/vault-stale/scenario.toml");
    let text = std::fs::read_to_string(file).expect("the corpus is there");
    let head = &text[..text.find("[[call]]").expect("it has calls")];
    let head = head.replace("../../", &format!("{}/", root.display())).replace("calls = 3", &format!("calls = {most}"));
    let invariant = "[[invariant]]\nname = \"book equals ledger\"\nwhen = \"quiescent\"\nexpr = \"book == real\"\n";
    format!("{head}{calls}{invariant}")
}
