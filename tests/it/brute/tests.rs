//! The enumerator against numbers and outcomes that are known on paper, on canisters of a few lines.

use std::fmt::Write as _;

use candid::Principal;
use canloom::scenario::Scenario;

use super::{Found, Limits, enumerate};

/// The id of the canister at this place in the scenario.
fn id(canister: usize) -> Principal {
    Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, canister as u8, 1, 1])
}

/// A text of WAT that is this canister's id.
fn id_bytes(canister: usize) -> String {
    let mut text = String::new();
    for byte in id(canister).as_slice() {
        write!(text, "\\{byte:02x}").expect("a string takes everything");
    }
    text
}

/// What every module here imports, and how it answers with nothing.
const HEAD: &str = r#"
    (import "ic0" "msg_reply" (func $msg_reply))
    (import "ic0" "msg_reject" (func $msg_reject (param i32 i32)))
    (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
    (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "ic0" "call_on_cleanup" (func $call_on_cleanup (param i32 i32)))
    (import "ic0" "call_with_best_effort_response" (func $bounded (param i32)))
    (import "ic0" "call_perform" (func $call_perform (result i32)))
    (memory 1)
    (data (i32.const 0) "go")
    (data (i32.const 2) "DIDL\00\00")
    (func $reply (call $append (i32.const 2) (i32.const 6)) (call $msg_reply))
"#;

/// A canister whose `go` calls `go` of these canisters, all at once, and replies when all have answered.
fn node(callees: &[usize]) -> String {
    let mut data = String::new();
    let mut calls = String::new();
    for &callee in callees {
        let at = 16 * (callee + 1);
        let bytes = id_bytes(callee);
        write!(data, "(data (i32.const {at}) \"{bytes}\")").expect("a string takes everything");
        write!(
            calls,
            "(call $call_new (i32.const {at}) (i32.const 10) (i32.const 0) (i32.const 2)
               (i32.const 0) (local.get $left) (i32.const 0) (local.get $left))
             (call $bounded (i32.const 10))
             (drop (call $call_perform))"
        )
        .expect("a string takes everything");
    }
    let end = match callees {
        [] => "(call $reply)",
        _ => "",
    };
    let count = callees.len();
    format!(
        r#"(module {HEAD} {data}
             (global $next (mut i32) (i32.const 1024))
             (table 1 funcref)
             (elem (i32.const 0) $answered)
             (func $answered (param $left i32)
               (i32.store (local.get $left) (i32.sub (i32.load (local.get $left)) (i32.const 1)))
               (if (i32.eqz (i32.load (local.get $left))) (then (call $reply))))
             (func (export "canister_update go") (local $left i32)
               (local.set $left (global.get $next))
               (global.set $next (i32.add (global.get $next) (i32.const 4)))
               (i32.store (local.get $left) (i32.const {count}))
               {calls} {end}))"#
    )
}

/// A canister whose `go` calls canister 1 and adds to its number: 1 before, 100 in the callback, 10,000 in the
/// cleanup; with what callback and cleanup do after that.
fn adder(callback: &str, cleanup: &str) -> String {
    let callee = id_bytes(1);
    format!(
        r#"(module {HEAD}
             (data (i32.const 16) "{callee}")
             (data (i32.const 32) "DIDL\00\01\79")
             (global $number (mut i32) (i32.const 0))
             (table 2 funcref)
             (elem (i32.const 0) $callback $cleanup)
             (func $add (param i32)
               (global.set $number (i32.add (global.get $number) (local.get 0))))
             (func $callback (param i32) (call $add (i32.const 100)) {callback})
             (func $cleanup (param i32) (call $add (i32.const 10000)) {cleanup})
             (func (export "canister_update go")
               (call $add (i32.const 1))
               (call $call_new (i32.const 16) (i32.const 10) (i32.const 0) (i32.const 2)
                 (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
               (call $call_on_cleanup (i32.const 1) (i32.const 0))
               (drop (call $call_perform)))
             (func (export "canister_query number")
               (i32.store (i32.const 39) (global.get $number))
               (call $append (i32.const 32) (i32.const 11))
               (call $msg_reply)))"#
    )
}

/// Explores `calls` calls of `go` of the first of these canisters. `explore` are more lines of `[explore]`, `rest`
/// more tables.
fn explore(canisters: &[String], calls: usize, explore: &str, rest: &str) -> Found {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut text = format!("format = 1\nname = \"test\"\n[explore]\n{explore}\n[actor.alice]\n");
    for (at, wat) in canisters.iter().enumerate() {
        let wasm = wat::parse_str(wat).expect("the text is a module");
        let file = folder.path().join(format!("c{at}.wasm"));
        std::fs::write(file, wasm).expect("the folder can be written");
        let id = id(at);
        writeln!(text, "[canister.c{at}]\nwasm = \"c{at}.wasm\"\nid = \"{id}\"").expect("a string takes everything");
    }
    writeln!(text, "[[call]]\nid = \"go\"\nto = \"c0\"\nmethod = \"go\"\nby = [\"alice\"]\nmax = {calls}\n{rest}")
        .expect("a string takes everything");
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, text).expect("the folder can be written");
    let scenario = Scenario::load(&file).expect("the scenario is right");
    enumerate(&scenario, &Limits::default())
}

fn interleavings(canisters: &[String], calls: usize) -> u64 {
    explore(canisters, calls, "", "").interleavings
}

/// One to three calls that await another canister, with at most one fault of these kinds.
fn with_one_fault(kinds: &str) -> [u64; 3] {
    let canisters = [node(&[1]), node(&[])];
    let fault = format!("[[fault]]\nedge = \"c0 -> c1.go\"\nkinds = [{kinds}]\nbudget = 1");
    [1, 2, 3].map(|calls| explore(&canisters, calls, "faults = 1", &fault).interleavings)
}

#[test]
fn requests_of_one_pair_start_in_the_order_sent() {
    let canisters = [node(&[1]), node(&[])];
    let counts = [1, 2, 3].map(|calls| interleavings(&canisters, calls));
    assert_eq!(counts, [1, 14, 636]);
}

#[test]
fn chain_of_three_canisters_has_142_interleavings_of_two_calls() {
    let canisters = [node(&[1]), node(&[2]), node(&[])];
    let counts = [1, 2].map(|calls| interleavings(&canisters, calls));
    assert_eq!(counts, [1, 142]);
}

#[test]
fn responses_are_in_no_order() {
    let to_different = [node(&[1, 2]), node(&[]), node(&[])];
    assert_eq!(interleavings(&to_different, 1), 6);
    let to_the_same = [node(&[1, 1]), node(&[])];
    assert_eq!(interleavings(&to_the_same, 1), 3);
}

#[test]
fn deadline_may_pass_at_any_time_and_the_callee_may_start_late() {
    assert_eq!(with_one_fault("\"sys_unknown\""), [5, 178, 14_922]);
}

#[test]
fn queued_request_may_be_rejected_at_any_place() {
    assert_eq!(with_one_fault("\"clean_reject\""), [2, 48, 3_300]);
}

#[test]
fn one_fault_of_two_kinds_is_still_one_fault() {
    let kinds = "\"clean_reject\", \"sys_unknown\"";
    assert_eq!(with_one_fault(kinds), [6, 212, 17_586]);
}

#[test]
fn bounds_on_calls_keep_them_apart() {
    let canisters = [node(&[1]), node(&[])];
    let one_after_the_other = explore(&canisters, 3, "in_flight = 1", "");
    assert_eq!(one_after_the_other.interleavings, 6);
    let two_of_three = explore(&canisters, 3, "calls = 2", "");
    assert_eq!(two_of_three.interleavings, 3 * 14);
}

#[test]
fn context_switches_are_counted_along_each_path() {
    let canisters = [node(&[1]), node(&[])];
    let within = |calls, most| explore(&canisters, calls, &format!("switches = {most}"), "").interleavings;
    assert_eq!([0, 1, 2, 3].map(|most| within(2, most)), [2, 6, 12, 14]);
    assert_eq!([0, 1, 2, 3, 4, 5].map(|most| within(3, most)), [6, 48, 192, 432, 624, 636]);
}

#[test]
fn call_with_after_waits_for_the_answer() {
    let canisters = [node(&[1]), node(&[])];
    let second = "[[call]]\nid = \"later\"\nto = \"c1\"\nmethod = \"go\"\nby = [\"alice\"]\nafter = \"go\"";
    let found = explore(&canisters, 2, "", second);
    assert_eq!(found.interleavings, 14);
}

#[test]
fn cleanup_of_a_trapped_callback_is_kept_and_the_call_fails() {
    let observe = "[observe.number]\nfrom = \"c0\"\nquery = \"number\"";
    let table = [
        ("(call $reply)", "", "number = 101 | go = null"),
        ("(call $reply) unreachable", "", "number = 10001 | go rejected 5"),
        ("(call $reply) (call $reply)", "", "number = 10001 | go rejected 5"),
        ("(call $msg_reject (i32.const 0) (i32.const 2))", "", "number = 101 | go rejected 4"),
        ("", "", "number = 101 | go rejected 5"),
        ("unreachable", "", "number = 10001 | go rejected 5"),
        ("unreachable", "unreachable", "number = 1 | go rejected 5"),
        ("unreachable", "(call $reply)", "number = 1 | go rejected 5"),
    ];
    for (callback, cleanup, outcome) in table {
        let canisters = [adder(callback, cleanup), node(&[])];
        let found = explore(&canisters, 1, "", observe);
        let outcomes: Vec<String> = found.outcomes.into_values().flatten().collect();
        assert_eq!(outcomes, [outcome], "{callback} | {cleanup}");
    }
}
