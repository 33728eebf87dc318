//! The search and the brute-force enumerator agree: interleavings, outcomes, violations and what is seen sometimes.
//!
//! The enumerator (`brute`) merges nothing, remembers nothing and shares no code with the search.

use std::collections::{BTreeMap, BTreeSet};

use canloom::explore::Explored;
use canloom::scenario::Scenario;

use super::brute::{Found, Limits, enumerate};
use super::corpus;
use super::random_canister::{Recipe, recipes};
use super::stage::{Stage, call, counts, fault, observe};
use super::wat_canister::{Wait, forwarder, ledger};

/// More interleavings than this are too many for brute force.
const INTERLEAVINGS_MAX: u64 = 20_000;

/// More deliveries than this mostly make more interleavings than that; nine are three calls that await once.
const DELIVERIES_MAX: usize = 9;

/// What both sides can tell of a scenario.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    interleavings: u64,
    outcomes: BTreeMap<(u32, u32), BTreeSet<String>>,
    violated: BTreeMap<String, (u32, u32, u32)>,
    seen: BTreeSet<String>,
}

impl Summary {
    fn of_search(scenario: &Scenario, explored: &Explored) -> Summary {
        let name = |at: usize| scenario.invariants[at].name.clone();
        let least = |finding: &canloom::explore::Finding| (finding.faults, finding.calls, finding.deliveries);
        Summary {
            interleavings: counts(explored).0,
            outcomes: explored.outcomes.clone(),
            violated: explored.findings.iter().map(|finding| (name(finding.invariant), least(finding))).collect(),
            seen: explored.sometimes.iter().filter(|(_, seen)| *seen).map(|(at, _)| name(*at)).collect(),
        }
    }

    fn of_brute_force(found: Found) -> Summary {
        assert!(!found.is_cut, "the bound on deliveries cut a path short");
        assert!(found.violated.iter().eq(found.least.keys()));
        Summary {
            interleavings: found.interleavings,
            outcomes: found.outcomes,
            violated: found.least,
            seen: found.seen,
        }
    }
}

fn assert_agreement_on_corpus(name: &str) {
    let run = corpus::explored(name);
    let recorded = BTreeSet::from([("b".to_string(), "bar".to_string())]);
    let limits = Limits { recorded, interleavings_max: Some(INTERLEAVINGS_MAX) };
    let found = enumerate(&run.scenario, &limits);
    assert_eq!(Summary::of_search(&run.scenario, &run.explored), Summary::of_brute_force(found));
}

fn agreed(stage: &Stage) -> Summary {
    let scenario = stage.scenario();
    let searched = Summary::of_search(&scenario, &stage.explore());
    let found = Summary::of_brute_force(enumerate(&scenario, &Limits::default()));
    assert_eq!(searched, found);
    searched
}

#[test]
fn every_corpus_scenario_is_compared_or_needs_what_the_enumerator_lacks() {
    let mut compared = vec!["counter", "counter-check", "vault-rollback", "vault-sound", "vault-stale"];
    // Tasks, time, upgrades, the management canister, built-in canisters.
    compared.extend(["heartbeat", "heartbeat-fixed", "outcall", "outcall-fixed", "timer", "timer-fixed"]);
    compared.extend(["upgrade", "upgrade-fixed", "upgrade-stopped"]);
    compared.sort_unstable();
    assert_eq!(corpus::names(), compared, "give each scenario of corpus/ a test in this file");
}

#[test]
fn search_and_brute_force_agree_on_counter() {
    assert_agreement_on_corpus("counter");
}

#[test]
fn search_and_brute_force_agree_on_counter_check() {
    assert_agreement_on_corpus("counter-check");
}

#[test]
fn search_and_brute_force_agree_on_vault_rollback() {
    assert_agreement_on_corpus("vault-rollback");
}

#[test]
fn search_and_brute_force_agree_on_vault_sound() {
    assert_agreement_on_corpus("vault-sound");
}

#[test]
fn search_and_brute_force_agree_on_vault_stale() {
    assert_agreement_on_corpus("vault-stale");
}

#[test]
fn search_and_brute_force_agree_on_small_canisters() {
    let calls = |n: u32| -> String {
        (0..n).map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).collect()
    };
    let invariant = "[[invariant]]\nname = \"no order of the ledger\"\nwhen = \"always\"\nexpr = \"total != 897\"\n";
    let either = format!("[explore]\nfaults = 1\n{}", fault("t", "\"clean_reject\", \"sys_unknown\""));
    let two = format!("{}{}{invariant}{either}", calls(2), observe(1, "total"));
    let with_faults = agreed(&Stage::new(&[forwarder(&[1], Wait::Bounded), ledger()], &two));
    assert_eq!(with_faults.interleavings, 212);
    assert_eq!(with_faults.violated, BTreeMap::from([("no order of the ledger".to_string(), (0, 2, 4))]));

    let chain = [forwarder(&[1], Wait::Bounded), forwarder(&[2], Wait::Unbounded), ledger()];
    let chained = agreed(&Stage::new(&chain, &format!("{}{either}", calls(2))));
    assert!(chained.interleavings > 142, "{}", chained.interleavings);

    let joined = [forwarder(&[1, 2], Wait::Bounded), ledger(), ledger()];
    let two = format!("{}{}", calls(2), observe(1, "total"));
    assert_eq!(agreed(&Stage::new(&joined, &two)).interleavings, 3_852);
}

#[test]
fn search_and_brute_force_agree_on_150_random_scenarios() {
    let mut compared = 0;
    let mut redrawn = 0;
    let mut violated = 0;
    let mut with_orders = 0;
    let mut with_faults = 0;
    let mut interleavings = 0;
    for recipe in recipes() {
        if recipe.deliveries_max() > DELIVERIES_MAX {
            redrawn += 1;
            continue;
        }
        let stage = recipe.stage();
        let scenario = stage.scenario();
        let explored = stage.explore();
        if counts(&explored).0 > INTERLEAVINGS_MAX {
            redrawn += 1;
            continue;
        }
        let searched = Summary::of_search(&scenario, &explored);
        let found = Summary::of_brute_force(enumerate(&scenario, &Limits::default()));
        let text = |recipe: &Recipe| format!("{recipe:#?}\n{}", std::fs::read_to_string(&scenario.file).unwrap());
        assert_eq!(searched, found, "{}", text(&recipe));
        violated += usize::from(!found.violated.is_empty());
        with_faults += usize::from(found.outcomes.keys().any(|(_, faults)| *faults > 0));
        with_orders += usize::from(found.outcomes.values().any(|outcomes| outcomes.len() > 2));
        interleavings += found.interleavings;
        compared += 1;
        if compared == 150 {
            break;
        }
    }
    println!("{compared} compared, {interleavings} interleavings, {redrawn} redrawn");
    println!("{violated} with a violation, {with_orders} in which order shows, {with_faults} with faults");
    assert_eq!(compared, 150);
    assert!(violated >= 40, "only {violated} of the random scenarios violate something");
    assert!(with_orders >= 40, "in only {with_orders} of the random scenarios order shows in the outcome");
    assert!(redrawn <= 2 * compared, "{redrawn} scenarios were too large");
}
