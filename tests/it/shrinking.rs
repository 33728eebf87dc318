//! Counterexamples are shrunk to what an exhaustive search finds first, and stay with their bug; explanations name the await
//! that is to blame.

mod noise;

use canloom::counterexample::{Counterexample, hangs_on, replay};
use canloom::engine::embedded::Embedded;
use canloom::explain::explain;
use canloom::explore::Minimal;
use canloom::sample::schedule;
use canloom::schedule::{Schedule, Step};
use canloom::scheduler::Strategy;
use canloom::shrink::{Effort, Shrunk, another, shrink, unneeded};

use super::corpus;
use super::fixtures;
use super::stage::{Stage, call, explore_all, observe};
use super::wat_canister::canister;

/// All that there is: no limit but the end.
const ALL: Effort = Effort { time: None, most: u64::MAX, proves: true };

fn steps(names: &str) -> Vec<Step> {
    names.split_whitespace().map(|name| name.parse().expect("a name")).collect()
}

fn shrunk(engine: &mut Embedded, steps: &[Step], effort: Effort) -> Shrunk {
    let shrunk = shrink(engine, 0, steps, 1, effort, &mut |_| {}).expect("the engine offers what the canisters use");
    shrunk.expect("the schedule violates the invariant")
}

/// Increments with two awaits: `a` reads x before each of them and writes it afterwards, so two increments that overlap at
/// either await lose one. `u` and `v` have the first and the second of these bugs only.
fn two_bugs(method: &str, calls: u32) -> Stage {
    let awaits = |callback: u32, value: &str| {
        format!("(call $to (i32.const 1) (i32.const 't') (i32.const {callback}) {value}) (call $send)")
    };
    let body = format!(
        r#"(table 6 funcref) (elem (i32.const 0) $a1 $a2 $u1 $u2 $v1 $v2)
           (global $x (mut i32) (i32.const 0))
           (global $done (mut i32) (i32.const 0))
           (func $stale (param i32) (global.set $x (i32.add (local.get 0) (i32.const 1))))
           (func $fresh (global.set $x (i32.add (global.get $x) (i32.const 1))))
           (func $end (global.set $done (i32.add (global.get $done) (i32.const 1))) (call $reply))
           (func $a1 (param i32) (call $stale (local.get 0)) {a2})
           (func $a2 (param i32) (call $stale (local.get 0)) (call $end))
           (func $u1 (param i32) (call $stale (local.get 0)) {u2})
           (func $u2 (param i32) (call $fresh) (call $end))
           (func $v1 (param i32) (call $fresh) {v2})
           (func $v2 (param i32) (call $stale (local.get 0)) (call $end))
           (func (export "canister_update a") {a1})
           (func (export "canister_update u") {u1})
           (func (export "canister_update v") {v1})
           (func (export "canister_query x") (call $number (global.get $x)))
           (func (export "canister_query ended") (call $number (global.get $done)))"#,
        a1 = awaits(0, "(global.get $x)"),
        a2 = awaits(1, "(global.get $x)"),
        u1 = awaits(2, "(global.get $x)"),
        u2 = awaits(3, "(global.get $x)"),
        v1 = awaits(4, "(global.get $x)"),
        v2 = awaits(5, "(global.get $x)"),
    );
    let callee = canister("(func (export \"canister_update t\") (call $reply))");
    let invariant =
        "[[invariant]]\nname = \"every increment counts\"\nwhen = \"quiescent\"\nexpr = \"x == ended + ended\"\n";
    let explore = format!("[explore]\ncalls = {calls}\nin_flight = {calls}\n");
    let call = call("add", 0, method, &format!("max = {calls}"));
    Stage::new(
        &[canister(&body), callee],
        &format!("{explore}{call}{}{}{invariant}", observe(0, "x"), observe(0, "ended")),
    )
}

/// Three increments: the first alone, and of the other two one overlaps with an await of the other, the first or the second.
const AT_FIRST: &str = "0 0.1 0.1r 0.1r.1 0.1r.1r 1 2 1.1 1.1r 2.1 1.1r.1 1.1r.1r 2.1r 2.1r.1 2.1r.1r";
const AT_SECOND: &str = "0 0.1 0.1r 0.1r.1 0.1r.1r 1 1.1 1.1r 2 1.1r.1 2.1 2.1r 1.1r.1r 2.1r.1 2.1r.1r";

#[test]
fn the_await_is_named_at_which_two_increments_overlap() {
    for (method, at, point) in
        [("u", AT_FIRST, "c0.u -> c1.t"), ("v", AT_SECOND, "c0.v, 2nd await -> c1.t"), ("a", AT_FIRST, "c0.a -> c1.t")]
    {
        let mut engine = two_bugs(method, 3).open();
        let guilty = hangs_on(&mut engine, 0, &Schedule { steps: steps(at) }).expect("it can be told");
        assert_eq!(guilty.expect("it is violated")[0].point.name, point, "{method}");
    }
}

#[test]
fn the_shrinker_stays_with_the_await_it_began_with() {
    for (at, own) in [(AT_FIRST, "c0.a -> c1.t"), (AT_SECOND, "c0.a, 2nd await -> c1.t")] {
        let mut engine = two_bugs("a", 3).open();
        let before = hangs_on(&mut engine, 0, &Schedule { steps: steps(at) }).unwrap().expect("it is violated");
        assert_eq!(before[0].point.name, own);
        let shrunk = shrunk(&mut engine, &steps(at), ALL);
        assert_eq!(shrunk.guilty[0].point.name, own);
        assert_eq!((shrunk.finding.calls, shrunk.finding.deliveries), (2, 10));
        assert_eq!(shrunk.finding.minimal, Minimal::Proved);
        let after = hangs_on(&mut engine, 0, &shrunk.finding.schedule).unwrap().expect("it is violated");
        assert!(after.iter().any(|guilty| guilty.point.name == own), "{after:?}");
    }
}

#[test]
fn what_was_not_searched_to_its_end_is_not_called_proved() {
    let no_time = Effort { time: Some(std::time::Duration::ZERO), ..ALL };
    for effort in [no_time, Effort { proves: false, ..ALL }] {
        let mut engine = two_bugs("a", 3).open();
        let shrunk = shrunk(&mut engine, &steps(AT_FIRST), effort);
        assert_ne!(shrunk.finding.minimal, Minimal::Proved, "{effort:?}");
    }
}

#[test]
fn another_bug_of_a_known_invariant_is_found_behind_the_simplest() {
    let mut engine = two_bugs("a", 2).open();
    let [first, second] = ["c0.a -> c1.t", "c0.a, 2nd await -> c1.t"].map(String::from);
    for (known, other) in [(&first, &second), (&second, &first)] {
        let found = another(&mut engine, 0, std::slice::from_ref(known), None).expect("it can be told");
        let finding = found.expect("no limit").expect("there is another");
        let guilty = hangs_on(&mut engine, 0, &finding.schedule).unwrap().expect("it is violated");
        assert_eq!(guilty[0].point.name, *other);
    }
    let both = another(&mut engine, 0, &[first, second], None).expect("it can be told");
    assert!(both.expect("no limit").is_none());
}

#[test]
fn both_bugs_of_one_path_are_reported() {
    let mut engine = two_bugs("a", 3).open();
    let mut points: Vec<String> = Vec::new();
    for at in [AT_FIRST, AT_SECOND] {
        let shrunk = shrunk(&mut engine, &steps(at), ALL);
        points.push(shrunk.guilty[0].point.name.clone());
        points.extend(shrunk.others.iter().map(|other| other.guilty.point.name.clone()));
    }
    points.sort();
    points.dedup();
    assert_eq!(points, ["c0.a -> c1.t", "c0.a, 2nd await -> c1.t"]);
}

#[test]
fn what_was_sampled_shrinks_to_the_size_that_exhaustive_search_finds() {
    for name in ["vault-stale", "vault-rollback", "upgrade", "zoo-t02", "zoo-t12", "zoo-t19", "zoo-t21"] {
        let mut engine = noise::open(&corpus::folder().join(name).join("scenario.toml"), 0);
        let explored = explore_all(&mut engine).folded(&engine.scenario.clone());
        let finding = &explored.findings[0];
        let mut found = 0;
        for number in 0..40 {
            let sampled = schedule(&mut engine, Strategy::Random, 7, number).expect("it can be walked");
            let Some(shrunk) = shrink(&mut engine, finding.invariant, &sampled.steps, 1, ALL, &mut |_| {}).unwrap()
            else {
                continue;
            };
            found += 1;
            let size =
                |finding: &canloom::explore::Finding| (finding.faults, finding.calls, finding.schedule.steps.len());
            assert_eq!(size(&shrunk.finding), size(finding), "{name}, schedule {number}");
            assert_eq!(shrunk.finding.minimal, Minimal::Proved, "{name}, schedule {number}");
            if found == 4 {
                break;
            }
        }
        assert!(found > 0, "{name}: no sampled schedule violates it");
    }
}

/// The await of each class of the bug zoo: the one around which `<method>_fixed` differs.
const AWAITS: [&str; 21] = [
    "vault.withdraw -> ledger.icrc1_transfer",
    "treasury.claim -> ledger.icrc1_transfer",
    "till.pay -> ledger.icrc1_transfer",
    "vault.withdraw -> ledger.icrc1_transfer",
    "vault.withdraw -> ledger.icrc1_transfer",
    "vault.withdraw -> ledger.icrc1_transfer",
    "vault.withdraw -> ledger.icrc1_transfer",
    "vault.withdraw -> ledger.icrc1_transfer",
    "notifier.notify -> hostile.on_event",
    "vault.withdraw -> ledger.icrc1_transfer",
    "buyer.buy -> shop.order",
    "payroll.pay -> ledger.icrc1_transfer",
    "standing.<ic-cdk internal> timer_executor -> ledger.icrc1_transfer",
    "shop.buy -> ledger.icrc2_allowance",
    "proxy.rate",
    "exchange.swap, 2nd await -> silver.icrc1_transfer",
    "swaps.swap -> rates.rate",
    "vault.withdraw -> ledger.icrc1_transfer",
    "desk.process, 2nd await -> ledger.icrc1_transfer",
    "bills.pay -> ledger.icrc1_transfer",
    "pools.redeem -> ledger.icrc1_transfer",
];

#[test]
fn the_await_that_is_named_for_each_bug_of_the_zoo_is_the_one_that_its_fix_changes() {
    for (class, point) in AWAITS.iter().enumerate() {
        let folder = corpus::folder().join(format!("zoo-t{:02}", class + 1));
        let file = std::fs::read_dir(&folder).expect("a folder of the corpus").map(|entry| entry.unwrap().path());
        let file = file.into_iter().find(|file| file.extension().is_some_and(|end| end == "cx")).expect("a file");
        let counterexample = Counterexample::read(&file).expect("a counterexample");
        let mut engine = noise::open(&folder.join("scenario.toml"), 0);
        let named = |invariant: &canloom::scenario::Invariant| invariant.name == counterexample.invariant;
        let invariant = engine.scenario.invariants.iter().position(named).expect("its invariant");
        let replayed = replay(&mut engine, &counterexample.schedule, Some(invariant)).expect("it replays");
        let explained = explain(&mut engine, invariant, &counterexample.schedule, &replayed).expect("it can be told");
        let explained = explained.expect("it is violated");
        assert_eq!(explained.guilty[0].point.name, *point, "class {}", class + 1);
        let has_other_fault = replayed.trace.events.iter().any(|event| event.is_fault);
        let most = if has_other_fault { 3 } else { 2 };
        assert!((2..=most).contains(&explained.sentences.len()), "{:?}", explained.sentences);
        let shares = explained.shares.expect("the zoo is small enough to count");
        assert_eq!(shares.len(), counterexample.schedule.steps.len() + 1);
        let last = shares.last().expect("one for the end");
        assert_eq!(last.violating, last.all, "class {}: at its end every way on is a violation", class + 1);
    }
}

#[test]
fn shares_are_those_of_the_interleavings_that_an_enumeration_finds() {
    // Two increments `v`: the one that comes through its second await while the other is in it loses.
    let mut engine = two_bugs("v", 2).open();
    let explored = explore_all(&mut engine);
    let finding = &explored.findings[0];
    let replayed = replay(&mut engine, &finding.schedule, Some(0)).expect("it replays");
    let explained = explain(&mut engine, 0, &finding.schedule, &replayed).unwrap().expect("it is violated");
    let shares = explained.shares.expect("few worlds");
    // 10 deliveries of two chains of five: 252 orders, of which 106 keep the requests to one callee in the order of sending.
    assert_eq!(shares[0].all.to_string(), "106");
    assert_eq!(Some(&shares[0].all), explored.interleavings.as_ref());
    assert_eq!(shares[0].violating.to_string(), noise::violating(&mut engine, 0).to_string());
    assert!(shares.windows(2).all(|pair| pair[1].all <= pair[0].all), "{shares:?}");
}

#[test]
fn flipping_a_pair_that_matters_alone_ends_the_violation() {
    let mut engine = two_bugs("u", 2).open();
    let explored = explore_all(&mut engine);
    let finding = &explored.findings[0];
    let replayed = replay(&mut engine, &finding.schedule, Some(0)).expect("it replays");
    let explained = explain(&mut engine, 0, &finding.schedule, &replayed).unwrap().expect("it is violated");
    let name = |at: usize| finding.schedule.steps[at].to_string();
    let pairs: Vec<(String, String)> =
        explained.pairs.iter().map(|pair| (name(pair.first), name(pair.second))).collect();
    // The second increment reads before the first has written for the last time, and writes after that.
    let named = |one: &str, other: &str| (one.to_string(), other.to_string());
    assert_eq!(pairs, [named("1", "0.1r.1r"), named("0.1r.1r", "1.1r")]);
}

#[test]
fn values_shrink_by_their_type() {
    let mut engine = noise::open(&corpus::folder().join("../fuzz/puzzles/magic/scenario.toml"), 0);
    let code = 0x9d3b_7c02_51ee_4af6u64;
    let made = steps(&format!("0{{code=7}} 1{{code={code}}} 1.1 0.1 0.1r 1.1r"));
    let shrunk = shrunk(&mut engine, &made, Effort { proves: false, ..ALL });
    // Only this value does it, so it stays; the other call goes.
    assert_eq!(shrunk.finding.schedule.to_string(), format!("0{{code={code}}}\n0.1\n0.1r\n"));
}

#[test]
fn noise_goes() {
    for name in ["vault-stale", "zoo-t01", "zoo-t05"] {
        let row = noise::shrink(name, std::time::Duration::from_secs(60));
        assert!(row.before.1 >= 30, "{name}: {row:?}");
        assert_eq!(row.after, row.searched, "{name}: {row:?}");
    }
}

#[test]
fn setup_calls_and_canisters_that_are_not_needed_are_told() {
    let body = r#"(global $on (mut i32) (i32.const 0)) (global $x (mut i32) (i32.const 0))
        (func (export "canister_update s") (global.set $on (i32.const 1)) (call $reply))
        (func (export "canister_update w") (global.set $x (global.get $on)) (call $reply))
        (func (export "canister_query x") (call $number (global.get $x)))"#;
    let setup = |to: usize, method: &str| format!("[[setup]]\nto = \"c{to}\"\nmethod = \"{method}\"\nby = \"alice\"\n");
    let setup = setup(1, "s") + &setup(0, "s") + &setup(1, "w");
    let invariant = "[[invariant]]\nname = \"off\"\nwhen = \"always\"\nexpr = \"x == 0\"\n";
    let rest = format!("{setup}{}{}{invariant}", call("w", 0, "w", ""), observe(0, "x"));
    let stage = Stage::new(&[canister(body), canister(body)], &rest);
    let mut engine = stage.open();
    let shrunk = shrunk(&mut engine, &steps("0"), ALL);
    let point = &shrunk.guilty[0].point;
    let told = unneeded(&mut engine, 0, &shrunk.finding.schedule, point).expect("it can be told");
    assert_eq!((told.setup, told.canisters), (vec![0, 2], vec![1]));
}

#[test]
fn the_place_of_an_await_is_its_line_where_the_module_has_line_tables() {
    let source = include_str!("../../canisters/fixtures/lines/src/lib.rs");
    let line = source.lines().position(|line| line.ends_with("// marker: await")).expect("the marker") + 1;
    let calls = fixtures::call("careless", "careless", "()");
    let invariant = "[observe.total]\nfrom = \"c\"\nquery = \"total\"\n[[invariant]]\nname = \"added\"\nwhen = \"final\"\nexpr = \"total == 7\"\n";
    let text = format!("{}{calls}{invariant}", fixtures::beginning(&fixtures::module("lines"), "()"));
    let mut engine = Stage::with_scenario(&text).open();
    let made = Schedule { steps: steps("0 0.1 0.1r") };
    let replayed = replay(&mut engine, &made, Some(0)).expect("it replays");
    let explained = explain(&mut engine, 0, &made, &replayed).unwrap().expect("it is violated");
    let place = explained.place.expect("it has a place").line.expect("with a line");
    assert!(place.0.ends_with("fixtures/lines/src/lib.rs"), "{place:?}");
    assert_eq!(place.1 as usize, line);
}

/// `SHRINK=write` writes docs/shrinking.md.
#[test]
fn the_table_of_sizes_is_written_where_it_is_asked_for() {
    if std::env::var_os("SHRINK").is_some_and(|value| value == "write") {
        noise::write_table();
    }
}
