//! Exact numbers of interleavings, from the real search on real wasm.
//!
//! A withdrawal `w` is three deliveries: its start `0`, the ledger's execution `0.1`, the callback `0.1r`. Starts are free,
//! requests to the ledger start in the order in which they were sent, responses are free.

use canloom::explore::Explored;

use super::stage::{Stage, call, counts, fault, observe};
use super::wat_canister::{Wait, forwarder, ledger};

/// `n` withdrawals with arguments 0, 1, ...: no two are interchangeable.
fn distinct(n: u32) -> String {
    (0..n).map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).collect()
}

/// `n` withdrawals of one and the same amount.
fn equal(n: u32) -> String {
    call("w", 0, "w", &format!("args = \"(1 : nat32)\"\nmax = {n}"))
}

fn explore(calls: &str, wait: Wait, rest: &str) -> Explored {
    let rest = format!("{calls}{rest}{}", observe(1, "total"));
    Stage::new(&[forwarder(&[1], wait), ledger()], &rest).explore()
}

/// All interleavings of 1, 2, ... distinct withdrawals with at most one fault of these kinds, and those without.
fn with_one_fault<const N: usize>(wait: Wait, kinds: &str) -> ([u64; N], [u64; N]) {
    let count = |at| {
        let one = format!("[explore]\nfaults = 1\n{}", fault("t", kinds));
        counts(&explore(&distinct(at as u32 + 1), wait, &one))
    };
    let counted: [(u64, u64); N] = std::array::from_fn(count);
    (counted.map(|(all, _)| all), counted.map(|(_, without)| without))
}

// One withdrawal: 0 0.1 0.1r.
//
// Two, where 0 starts first; seven more are the same with 0 and 1 exchanged:
//   0 0.1 0.1r 1 1.1 1.1r      0 0.1 1 0.1r 1.1 1.1r      0 1 0.1 0.1r 1.1 1.1r
//                              0 0.1 1 1.1 0.1r 1.1r      0 1 0.1 1.1 0.1r 1.1r
//                              0 0.1 1 1.1 1.1r 0.1r      0 1 0.1 1.1 1.1r 0.1r
#[test]
fn withdrawals_have_1_14_636_and_61800_interleavings() {
    for (calls, interleavings) in [(1, 1), (2, 14), (3, 636), (4, 61_800)] {
        for wait in [Wait::Unbounded, Wait::Bounded] {
            let explored = explore(&distinct(calls), wait, "");
            assert_eq!(counts(&explored), (interleavings, interleavings), "{calls} calls, {wait:?} wait");
        }
    }
}

#[test]
fn outcomes_of_withdrawals_are_the_orders_of_the_ledger() {
    // 100 * 3 = 300 - 0 = 300, * 3 = 900 - 1 = 899; the other way 100 * 3 - 1 = 299, * 3 = 897 - 0 = 897.
    let explored = explore(&distinct(2), Wait::Unbounded, "");
    let both: Vec<&str> = explored.outcomes[&(2, 0)].iter().map(String::as_str).collect();
    assert_eq!(both, ["total = 897 | w0 = null; w1 = null", "total = 899 | w0 = null; w1 = null"]);
    let one: Vec<&str> = explored.outcomes[&(1, 0)].iter().map(String::as_str).collect();
    assert_eq!(one, ["total = 299 | w1 = null", "total = 300 | w0 = null"]);
}

#[test]
fn equal_withdrawals_count_as_distinct_ones_and_need_fewer_worlds() {
    for (calls, interleavings) in [(1, 1), (2, 14), (3, 636), (4, 61_800)] {
        let together = explore(&equal(calls), Wait::Unbounded, "");
        assert_eq!(counts(&together).0, interleavings, "{calls} calls");
        let apart = explore(&distinct(calls), Wait::Unbounded, "");
        if calls > 1 {
            assert!(together.worlds < apart.worlds, "{calls} calls: {} and {} worlds", together.worlds, apart.worlds);
        }
    }
    assert_eq!(counts(&explore(&equal(5), Wait::Unbounded, "")).0, 10_511_400);
}

// With the deadline free, one withdrawal is
//   0 0.1 0.1r         no fault
//   0 0.1x 0.1r        dropped: the request never starts
//   0 0.1x 0.1r 0.1    late: it starts after the caller was told
//   0 0.1x 0.1 0.1r    it starts after the deadline, before the caller was told
//   0 0.1 0.1x 0.1r    its answer is lost
#[test]
fn at_most_one_sys_unknown_makes_5_178_and_14922() {
    let counted = with_one_fault(Wait::Bounded, "\"sys_unknown\"");
    assert_eq!(counted, ([5, 178, 14_922], [1, 14, 636]));
}

// 0 0.1 0.1r and 0 0.1j 0.1r.
#[test]
fn at_most_one_clean_reject_makes_2_48_and_3300() {
    for wait in [Wait::Unbounded, Wait::Bounded] {
        let counted = with_one_fault(wait, "\"clean_reject\"");
        assert_eq!(counted, ([2, 48, 3_300], [1, 14, 636]), "{wait:?} wait");
    }
}

#[test]
fn at_most_one_fault_of_either_kind_makes_6_212_and_17586() {
    let counted = with_one_fault(Wait::Bounded, "\"clean_reject\", \"sys_unknown\"");
    assert_eq!(counted, ([6, 212, 17_586], [1, 14, 636]));
}

#[test]
fn sys_unknown_never_strikes_an_unbounded_wait() {
    let counted = with_one_fault(Wait::Unbounded, "\"sys_unknown\"");
    assert_eq!(counted, ([1, 14, 636], [1, 14, 636]));
}

// One call of the chain: 0 0.1 0.1.1 0.1.1r 0.1r.
#[test]
fn chain_of_three_canisters_has_1_142_and_155466_interleavings() {
    for (calls, interleavings) in [(1, 1), (2, 142), (3, 155_466)] {
        let canisters = [forwarder(&[1], Wait::Unbounded), forwarder(&[2], Wait::Unbounded), ledger()];
        let explored = Stage::new(&canisters, &distinct(calls)).explore();
        assert_eq!(counts(&explored).0, interleavings, "{calls} calls");
    }
}

// 0 0.1 0.2 0.1r 0.2r      0 0.1 0.2 0.2r 0.1r      0 0.1 0.1r 0.2 0.2r
// and the same with 0.1 and 0.2 exchanged: nothing orders requests to different canisters.
#[test]
fn one_call_that_joins_two_requests_to_different_callees_has_6_interleavings() {
    let canisters = [forwarder(&[1, 2], Wait::Unbounded), ledger(), ledger()];
    assert_eq!(counts(&Stage::new(&canisters, &distinct(1)).explore()).0, 6);
}

// 0 0.1 0.2 0.1r 0.2r      0 0.1 0.2 0.2r 0.1r      0 0.1 0.1r 0.2 0.2r
#[test]
fn one_call_that_joins_two_requests_to_the_same_callee_has_3_interleavings() {
    let canisters = [forwarder(&[1, 1], Wait::Unbounded), ledger()];
    assert_eq!(counts(&Stage::new(&canisters, &distinct(1)).explore()).0, 3);
}

#[test]
fn bounds_on_calls_and_on_calls_in_flight_keep_them_apart() {
    let one_at_a_time = explore(&distinct(3), Wait::Unbounded, "[explore]\nin_flight = 1\n");
    assert_eq!(counts(&one_at_a_time).0, 6);
    let two_of_three = explore(&distinct(3), Wait::Unbounded, "[explore]\ncalls = 2\n");
    assert_eq!(counts(&two_of_three).0, 3 * 14);
    let equal_one_at_a_time = explore(&equal(3), Wait::Unbounded, "[explore]\nin_flight = 1\n");
    assert_eq!(counts(&equal_one_at_a_time).0, 6);
}
