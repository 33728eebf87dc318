//! Invariants of steps: a property of what was before a step and what is after it.

use canloom::counterexample::replay;
use canloom::explore::{Budget, Explored, explore};
use canloom::sample::{Sampling, sample};
use canloom::scheduler::Strategy;

use super::divided::merged;
use super::stage::{Stage, call, explore_all, fault, observe};
use super::wat_canister::{Wait, canister, forwarder, ledger};

fn invariant(expr: &str) -> String {
    format!("[[invariant]]\nname = \"i\"\nwhen = \"step\"\nexpr = '{expr}'\n")
}

/// A counter: `u` adds one, `d` takes one away, unless it is 0.
fn counter(expr: &str) -> Stage {
    let canister = canister(
        r#"(global $n (mut i32) (i32.const 0))
           (func (export "canister_update u") (global.set $n (i32.add (global.get $n) (i32.const 1))) (call $reply))
           (func (export "canister_update d")
             (if (global.get $n) (then (global.set $n (i32.sub (global.get $n) (i32.const 1)))))
             (call $reply))
           (func (export "canister_query n") (call $number (global.get $n)))"#,
    );
    let calls = format!("{}{}", call("up", 0, "u", "max = 2"), call("down", 0, "d", ""));
    Stage::new(&[canister], &format!("{}{calls}{}", observe(0, "n"), invariant(expr)))
}

fn simplest(explored: &Explored) -> (String, u64, Option<&str>) {
    let [finding] = &explored.findings[..] else { panic!("{:?}", explored.findings) };
    (finding.schedule.to_string(), finding.worlds, finding.error.as_deref())
}

#[test]
fn an_invariant_of_steps_compares_each_world_with_the_one_before() {
    assert!(counter("n <= before(n) + 1 and n >= before(n) - 1").explore().findings.is_empty());
    // Worlds by calls of u and d that were made: n falls in steps from (1 u), (2 u).
    assert_eq!(simplest(&counter("n >= before(n)").explore()), ("0\n2\n".to_string(), 2, None));
    // What is 0 in the first world was nothing before it: the start is no step.
    assert_eq!(simplest(&counter("n > 0 or before(n) > 0").explore()), ("2\n".to_string(), 1, None));
}

#[test]
fn two_steps_to_one_world_are_told_apart() {
    // n is 1 after two u and one d, whichever step is the last one; only u makes it grow.
    let explored = counter("not (n == 1 and count(done(\"down\")) == 1 and before(n) == 0)").explore();
    // d before both u: the first u is the step; u, d, u: the last one.
    assert_eq!(simplest(&explored), ("2\n0\n".to_string(), 2, None));
    let explored = counter("not (n == 1 and count(done(\"down\")) == 1 and before(n) == 2)").explore();
    assert_eq!(simplest(&explored), ("0\n1\n2\n".to_string(), 1, None));
}

#[test]
fn a_step_that_cannot_be_evaluated_is_violated_with_the_text() {
    let explored = counter("100 / before(n) >= n").explore();
    assert_eq!(simplest(&explored), ("0\n".to_string(), 3, Some("division by zero")));
}

#[test]
fn before_reads_calls_ghosts_and_whole_expressions() {
    let ghost = "[ghost.sent]\non = \"c0 -> c1.t:effect\"\nadd = \"it.args\"\n";
    let calls = call("w", 0, "w", "args = \"(3 : nat32)\"\nmax = 2");
    let faults = format!("[explore]\nfaults = 1\n{}", fault("t", "\"sys_unknown\""));
    let expr = "sent - before(sent) in [0, 3] and count(done(\"w\")) - before(count(done(\"w\"))) in [0, 1] and (sent == before(sent) or total != before(total + 0 * sent))";
    let rest = format!("{ghost}{calls}{faults}{}{}", observe(1, "total"), invariant(expr));
    let stage = Stage::new(&[forwarder(&[1], Wait::Bounded), ledger()], &rest);
    assert!(stage.explore().findings.is_empty());
}

/// Two withdrawals and a fault, and an order of the ledger's that the last of three steps makes.
fn orders() -> Stage {
    let calls: String =
        (0..2).map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).collect();
    let faults = format!("[explore]\nfaults = 1\n{}", fault("t", "\"clean_reject\", \"sys_unknown\""));
    let expr = "not (before(total) == 299 and total == 897)";
    let rest = format!("{calls}{faults}{}{}", observe(1, "total"), invariant(expr));
    Stage::new(&[forwarder(&[1], Wait::Bounded), ledger()], &rest)
}

#[test]
fn a_counterexample_ends_with_the_step_and_replays_with_both_values() {
    let mut engine = orders().open();
    let explored = explore_all(&mut engine);
    let (schedule, _, _) = simplest(&explored);
    assert_eq!(schedule, "1\n1.1\n0\n0.1\n");
    let replayed = replay(&mut engine, &explored.findings[0].schedule, Some(0)).expect("it is possible");
    assert_eq!(replayed.violated, Some((4, None)));
    let values: Vec<String> = replayed.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    assert_eq!(values, ["total = 897", "before(total) = 299"]);
}

#[test]
fn workers_shards_and_told_apart_calls_find_the_same_step() {
    let mut engine = orders().open();
    let explored = explore_all(&mut engine);
    let budget = Budget { workers: 2, ..Budget::default() };
    let two = explore(&mut engine, &budget, &mut |_| {}).expect("all is offered");
    assert_eq!(simplest(&two), simplest(&explored));
    for shards in [2, 3] {
        let merged = merged(&engine, shards);
        assert_eq!(simplest(&merged).0, simplest(&explored).0, "{shards} shards");
    }
}

#[test]
fn sampling_finds_the_step_and_trims_to_it() {
    for strategy in [Strategy::Random, Strategy::Pos, Strategy::Pct] {
        let mut engine = orders().open();
        let sampling = Sampling { strategy, seed: 1, schedules: 300, time: None, workers: 1, until_found: false };
        let explored = sample(&mut engine, &sampling, &mut |_| {}).expect("all is offered");
        let [finding] = &explored.findings[..] else { panic!("{strategy:?}: {:?}", explored.findings) };
        assert_eq!((finding.faults, finding.calls, finding.schedule.steps.len()), (0, 2, 4), "{strategy:?}");
        let replayed = replay(&mut engine, &finding.schedule, Some(0)).expect("it is possible");
        assert_eq!(replayed.violated, Some((4, None)), "{strategy:?}");
        let two = Sampling { workers: 2, ..sampling };
        let again = sample(&mut orders().open(), &two, &mut |_| {}).expect("all is offered");
        assert_eq!(again.findings[0].worlds, finding.worlds, "{strategy:?}");
    }
}
