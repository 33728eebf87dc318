//! Exact numbers of interleavings: those of the design, and those that the search on the wasm counts without walking them.
//! Those of three calls with a fault are asserted in `outcomes`, where the same executions are made anyway.

use std::sync::Arc;

use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, explore};
use model::{Mutation, samples};

use crate::corpus::{changed, scenario};
use crate::toys;

const BOTH: &str = "\"clean_reject\", \"sys_unknown\"";

/// Withdrawals with a journal or without, by kinds of the one fault that is allowed.
fn withdrawals(kinds: Option<&str>, file: &str) -> model::Model {
    let changes = match kinds {
        None => vec![("faults = 1", "faults = 0")],
        Some(kinds) => vec![(BOTH, kinds)],
    };
    samples::model(changed("vault-rollback", &changes, file))
}

#[test]
fn start_ledger_and_callback_have_1_14_and_636_orders() {
    let model = withdrawals(None, "no-faults.toml");
    let orders = |calls| model.explore(calls).unwrap().interleavings;
    // Every pair, and every single one, of three withdrawals.
    assert_eq!([orders(1), orders(2), orders(3)], [3, 3 * 14, 636]);
}

#[test]
fn loom_makes_one_execution_for_every_order_and_few_that_are_cut() {
    let explored = withdrawals(None, "executions.toml").explore(3).unwrap();
    assert_eq!((explored.executions, explored.cut, explored.plans), (708, 72, 1));
}

#[test]
fn one_clean_reject_gives_2_and_48_orders() {
    let model = withdrawals(Some("\"clean_reject\""), "reject.toml");
    let orders = |calls| model.explore(calls).unwrap().interleavings;
    assert_eq!([orders(1), orders(2)], [3 * 2, 3 * 48]);
}

#[test]
fn one_sys_unknown_gives_5_178_and_14922_orders() {
    let model = withdrawals(Some("\"sys_unknown\""), "unknown.toml");
    let orders = |calls| model.explore(calls).unwrap().interleavings;
    assert_eq!([orders(1), orders(2), orders(3)], [3 * 5, 3 * 178, 14_922]);
}

#[test]
fn one_fault_of_either_kind_gives_6_and_212_orders() {
    let model = withdrawals(Some(BOTH), "either.toml");
    let orders = |calls| model.explore(calls).unwrap().interleavings;
    assert_eq!([orders(1), orders(2)], [3 * 6, 3 * 212]);
}

#[test]
fn without_an_order_of_requests_there_would_be_1680() {
    let model = withdrawals(None, "any-order.toml").mutate(Mutation::RequestsInAnyOrder);
    assert_eq!(model.explore(3).unwrap().interleavings, 1680);
}

#[test]
fn two_requests_awaited_together_have_six_orders_to_two_callees_and_three_to_one() {
    assert_eq!(toys::pair("to-two.toml", "b", "c").explore(1).unwrap().interleavings, 6);
    assert_eq!(toys::pair("to-one.toml", "b", "b").explore(1).unwrap().interleavings, 3);
}

#[test]
fn two_chains_of_three_canisters_have_142_orders() {
    assert_eq!(toys::chain("chain.toml").explore(2).unwrap().interleavings, 142);
}

#[test]
fn loom_walks_as_many_orders_as_the_search_on_the_wasm_counts() {
    // Not the counters, whose wasm calls a callee that burns 35 billion instructions.
    for name in ["vault-stale", "vault-sound"] {
        let scenario = scenario(name);
        let calls = scenario.bounds.calls as usize;
        let walked = samples::model(scenario.clone()).explore(calls).unwrap().interleavings;
        let mut engine = Embedded::open(Arc::new(scenario)).expect("`make canisters` has been run");
        let counted = explore(&mut engine, &Budget::default(), &mut |_| {}).unwrap().interleavings;
        assert_eq!(counted.map(|counted| counted.to_string()), Some(walked.to_string()), "{name}");
    }
}
