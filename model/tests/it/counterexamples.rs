//! What loom finds is a schedule, and the schedule is true: the wasm does the same.

use std::sync::Arc;

use canloom::counterexample::{Counterexample, replay};
use canloom::engine::embedded::Embedded;
use canloom::scenario::Value;
use model::{Violation, samples};

use crate::corpus;

/// The only violation in so many calls, replayed on the wasm.
fn found_and_replayed(name: &str, calls: usize) -> Violation {
    let scenario = corpus::scenario(name);
    let explored = samples::model(scenario.clone()).explore(calls).unwrap();
    assert_eq!(explored.violations.len(), 1, "{name}");
    let violation = explored.violations.into_iter().next().unwrap();
    let invariant = scenario.invariants.iter().position(|invariant| invariant.name == violation.invariant);
    let mut engine = Embedded::open(Arc::new(scenario)).expect("`make canisters` has been run");
    let replayed = replay(&mut engine, &violation.schedule, invariant).unwrap();
    let steps = violation.schedule.steps.len();
    assert_eq!(replayed.violated, Some((steps, None)), "{name}: violated after the last step and not before");
    let last = &replayed.trace.events.last().unwrap().observations;
    let on_wasm: Vec<Value> = last.iter().map(|value| value.as_ref().clone()).collect();
    let in_model: Vec<Value> = violation.observations.iter().map(|(_, value)| value.clone()).collect();
    assert_eq!(on_wasm, in_model, "{name}: the same balances");
    violation
}

fn balances(violation: &Violation) -> String {
    let values = violation.observations.iter().map(|(name, value)| format!("{name} = {value}"));
    values.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_stale_vault_is_found_by_loom_and_replayed_on_the_wasm() {
    let violation = found_and_replayed("vault-stale", 2);
    assert_eq!(violation.invariant, "book equals ledger when quiet");
    assert_eq!(violation.schedule.to_string(), "0\n0.1\n1\n0.1r\n1.1\n1.1r\n");
    assert_eq!(balances(&violation), "book = 50, real = 20");
}

#[test]
fn the_vault_that_rolls_back_is_found_by_loom_and_replayed_on_the_wasm() {
    let violation = found_and_replayed("vault-rollback", 2);
    assert_eq!(violation.schedule.to_string(), "0\n0.1j\n0.1r\n");
    assert_eq!(balances(&violation), "book = 130, real = 100");
}

#[test]
fn a_violation_is_a_file_that_canloom_reads() {
    let violation = found_and_replayed("vault-stale", 2);
    let read = Counterexample::parse(&violation.file("scenario.toml")).unwrap();
    assert_eq!(read.schedule, violation.schedule);
    assert_eq!(read.invariant, violation.invariant);
}

#[test]
fn an_invariant_between_two_deliveries_is_checked() {
    // Mid-way the ledger has paid and the book does not know: no final state shows it.
    let changes = [("when = \"quiescent\"", "when = \"always\"")];
    let scenario = corpus::changed("vault-sound", &changes, "always.toml");
    let explored = samples::model(scenario).explore(1).unwrap();
    let broken: Vec<(&str, String)> =
        explored.violations.iter().map(|one| (one.invariant.as_str(), one.schedule.to_string())).collect();
    // Debited and not paid yet.
    assert_eq!(broken, [("without faults nothing stays pending", "0\n".to_string())]);
}
