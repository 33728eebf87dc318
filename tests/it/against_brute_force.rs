//! The search and the brute-force enumerator agree: interleavings, outcomes, violations and what is seen sometimes.
//!
//! The enumerator (`brute`) merges nothing, remembers nothing and shares no code with the search.

mod complete;
mod symmetric;
mod unrest;

use std::collections::{BTreeMap, BTreeSet};

use canloom::explore::Explored;
use canloom::scenario::Scenario;

use super::brute::{Found, Limits, enumerate};
use super::corpus;
use super::fixtures::{INIT, module, wallet};
use super::puppet::random;
use super::random_canister::recipes;
use super::semantics::joins;
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
    /// Faults, calls and steps to the simplest violation.
    violated: BTreeMap<String, (u32, u32, u32)>,
    /// Context switches on the way, where they are bounded.
    switches: BTreeMap<String, u32>,
    seen: BTreeSet<String>,
    /// Whether bounds narrower than the scenario's cut something off.
    is_narrowed: bool,
}

impl Summary {
    fn of_search(scenario: &Scenario, explored: &Explored) -> Summary {
        let name = |at: usize| scenario.invariants[at].name.clone();
        let least = |finding: &canloom::explore::Finding| {
            // Steps: those that are no deliveries, as time that passes, count in the order of the search.
            (finding.faults, finding.calls, finding.schedule.steps.len() as u32)
        };
        // Generic oracles have tests of their own.
        let findings = || explored.findings.iter().filter(|f| !scenario.invariants[f.invariant].is_generic);
        Summary {
            interleavings: counts(explored).0,
            outcomes: explored.outcomes.clone(),
            violated: findings().map(|finding| (name(finding.invariant), least(finding))).collect(),
            switches: findings().map(|f| (name(f.invariant), f.switches.unwrap_or(0))).collect(),
            seen: explored.sometimes.iter().filter(|(_, seen)| *seen).map(|(at, _)| name(*at)).collect(),
            is_narrowed: !explored.within.is_empty(),
        }
    }

    fn of_brute_force(found: Found) -> Summary {
        assert!(!found.is_cut, "a bound cut a path short");
        assert!(found.violated.iter().eq(found.least.keys()));
        Summary {
            interleavings: found.interleavings,
            outcomes: found.outcomes,
            violated: found.least.iter().map(|(name, &(f, c, _, steps))| (name.clone(), (f, c, steps))).collect(),
            switches: found.least.into_iter().map(|(name, (_, _, switches, _))| (name, switches)).collect(),
            seen: found.seen,
            is_narrowed: found.is_narrowed,
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
    compared.extend(["upgrade", "upgrade-fixed", "upgrade-stopped", "answers-overtake"]);
    compared.extend(["control-escrow", "control-guard", "control-heartbeat", "control-journal", "control-vault"]);
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
fn search_and_brute_force_agree_on_answers_that_overtake() {
    assert_agreement_on_corpus("answers-overtake");
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

/// The same scenario with the stub `payer`, which brute force does not run, replaced by wasm that replies `(0 : nat64)`.
fn with_payer_of_wasm(stage: &Stage) -> Stage {
    let payer = r#"(module (import "ic0" "msg_reply" (func $reply))
        (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
        (memory 1) (data (i32.const 0) "DIDL\00\01\78\00\00\00\00\00\00\00\00")
        (func (export "canister_update pay") (call $append (i32.const 0) (i32.const 15)) (call $reply)))"#;
    let text = std::fs::read_to_string(stage.file("scenario.toml")).expect("there is a scenario");
    let stub = "builtin = \"stub\"\nreplies = { pay = \"(0 : nat64)\" }\n";
    assert!(text.contains(stub), "{text}");
    let replaced = Stage::with_scenario(&text.replace(stub, "wasm = \"payer.wasm\"\n"));
    let wasm = wat::parse_str(payer).expect("a module");
    std::fs::write(replaced.file("payer.wasm"), wasm).expect("the folder can be written");
    replaced
}

#[test]
fn search_and_brute_force_agree_on_wallets_of_the_newest_and_the_oldest_ic_cdk() {
    for name in ["cdk-0-20", "cdk-0-3"] {
        let found = agreed(&with_payer_of_wasm(&wallet(&module(name), INIT, "withdraw")));
        assert_eq!(found.interleavings, 48, "{name}");
        assert_eq!(found.violated, BTreeMap::from([("kept and paid".to_string(), (0, 2, 6))]), "{name}");
    }
}

#[test]
fn search_and_brute_force_agree_on_joined_calls_that_panic_and_on_tasks_that_outlive_their_method() {
    for (call, interleavings) in [(joins::CALLS[1], 738), (joins::CALLS[4], 14)] {
        let found = agreed(&with_payer_of_wasm(&joins::stage(&[call, call])));
        assert_eq!(found.interleavings, interleavings, "{call:?}");
    }
}

/// What a comparison of many random scenarios came across.
#[derive(Default)]
struct Tally {
    interleavings_max: u64,
    compared: usize,
    redrawn: usize,
    violated: usize,
    with_orders: usize,
    with_faults: usize,
    interleavings: u64,
    /// In how many of the scenarios there is a step of this kind.
    kinds: BTreeMap<&'static str, usize>,
}

impl Tally {
    /// Explores a random scenario on both sides, unless it is too large.
    fn compare(&mut self, recipe: &dyn std::fmt::Debug, deliveries_max: usize, stage: impl FnOnce() -> Stage) {
        if deliveries_max > DELIVERIES_MAX {
            self.redrawn += 1;
            return;
        }
        let stage = stage();
        let scenario = stage.scenario();
        let explored = stage.explore();
        if counts(&explored).0 > self.interleavings_max {
            self.redrawn += 1;
            return;
        }
        let searched = Summary::of_search(&scenario, &explored);
        let mut found = enumerate(&scenario, &Limits::default());
        for kind in std::mem::take(&mut found.kinds) {
            *self.kinds.entry(kind).or_default() += 1;
        }
        let found = Summary::of_brute_force(found);
        assert_eq!(searched, found, "{recipe:#?}\n{}", std::fs::read_to_string(&scenario.file).unwrap());
        self.violated += usize::from(!found.violated.is_empty());
        self.with_faults += usize::from(found.outcomes.keys().any(|(_, faults)| *faults > 0));
        self.with_orders += usize::from(found.outcomes.values().any(|outcomes| outcomes.len() > 2));
        self.interleavings += found.interleavings;
        self.compared += 1;
    }
}

#[test]
fn search_and_brute_force_agree_on_150_random_scenarios() {
    let mut tally = Tally { interleavings_max: INTERLEAVINGS_MAX, ..Tally::default() };
    for recipe in recipes() {
        tally.compare(&recipe, recipe.deliveries_max(), || recipe.stage());
        if tally.compared == 150 {
            break;
        }
    }
    let Tally { redrawn, violated, with_orders, with_faults, interleavings, .. } = tally;
    println!("{interleavings} interleavings, {redrawn} redrawn");
    println!("{violated} with a violation, {with_orders} in which order shows, {with_faults} with faults");
    assert!(violated >= 40, "only {violated} of the random scenarios violate something");
    assert!(with_orders >= 40, "in only {with_orders} of the random scenarios order shows in the outcome");
    assert!(redrawn <= 300, "{redrawn} scenarios were too large");
}

#[test]
fn search_and_brute_force_agree_on_150_random_scenarios_of_puppets() {
    let mut tally = Tally { interleavings_max: 2_000, ..Tally::default() };
    for play in random::plays() {
        tally.compare(&play, play.deliveries_max(), || play.stage());
        if tally.compared == 150 {
            break;
        }
    }
    let Tally { redrawn, violated, with_orders, with_faults, interleavings, .. } = tally;
    println!("{interleavings} interleavings, {redrawn} redrawn");
    println!("{violated} with a violation, {with_orders} in which order shows, {with_faults} with faults");
    assert!(violated >= 40, "only {violated} of the random scenarios violate something");
    assert!(with_orders >= 40, "in only {with_orders} of the random scenarios order shows in the outcome");
    assert!(redrawn <= 600, "{redrawn} scenarios were too large");
}
