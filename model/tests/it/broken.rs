//! The comparison can fail: semantics broken on purpose are noticed, with the outcome and the side that lacks it.

use model::{Difference, Mutation, Side, compare, samples};

use crate::corpus;

/// How the outcomes of two calls differ from the file if the semantics are broken like this.
fn differences(name: &str, mutation: Mutation) -> Vec<Difference> {
    let explored = samples::model(corpus::scenario(name)).mutate(mutation).explore(2).unwrap();
    compare(&explored.outcomes, &corpus::outcomes(name), 2)
}

#[test]
fn a_lock_kept_across_the_await_loses_outcomes() {
    let differences = differences("vault-stale", Mutation::LockAcrossAwaits);
    assert!(differences.iter().all(|difference| difference.lacking == Side::Model));
    let texts: Vec<String> = differences.iter().map(Difference::to_string).collect();
    assert_eq!(
        texts,
        [
            "2 calls, 0 faults: the model lacks an outcome of the file: book = 50; real = 20 | withdraw-30 = true; withdraw-50 = true",
            "2 calls, 0 faults: the model lacks an outcome of the file: book = 50; real = 40 | withdraw-10 = true; withdraw-50 = true",
            "2 calls, 0 faults: the model lacks an outcome of the file: book = 70; real = 20 | withdraw-30 = true; withdraw-50 = true",
            "2 calls, 0 faults: the model lacks an outcome of the file: book = 70; real = 60 | withdraw-10 = true; withdraw-30 = true",
            "2 calls, 0 faults: the model lacks an outcome of the file: book = 90; real = 40 | withdraw-10 = true; withdraw-50 = true",
            "2 calls, 0 faults: the model lacks an outcome of the file: book = 90; real = 60 | withdraw-10 = true; withdraw-30 = true",
        ]
    );
}

#[test]
fn a_lock_kept_across_the_await_is_noticed_wherever_a_handler_trusts_what_it_read_before() {
    for name in ["counter-check", "vault-stale", "vault-rollback"] {
        assert!(!differences(name, Mutation::LockAcrossAwaits).is_empty(), "{name}");
    }
}

#[test]
fn responses_that_lose_their_requests_give_outcomes_that_no_canister_has() {
    let differences = differences("vault-sound", Mutation::ResponsesInOneQueue);
    let paid_for_another = differences.iter().find(|difference| difference.lacking == Side::File);
    assert!(paid_for_another.is_some(), "{differences:?}");
}

#[test]
fn responses_that_lose_their_freedom_of_order_are_noticed_by_the_number_of_orders() {
    // The outcomes of these handlers do not tell: whatever order of responses can do, an order of starts can do as well.
    let model = samples::model(corpus::scenario("vault-stale"));
    let whole = model.explore(2).unwrap();
    let broken = model.mutate(Mutation::ResponsesInOrder).explore(2).unwrap();
    assert_eq!(whole.interleavings, 3 * 48);
    assert!(broken.interleavings < whole.interleavings, "{}", broken.interleavings);
}
