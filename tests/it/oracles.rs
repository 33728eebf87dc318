//! Generic oracles: what they find, what they leave alone, and that each verdict is that of an independent computation.

use std::collections::BTreeSet;

use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Explored, Grade, explore};
use canloom::report::{Verdict, text};
use canloom::scenario::Bounds;

use super::brute::{Enumerator, Limits};
use super::divided::merged;
use super::random_canister::recipes;
use super::stage::{NO_ORACLES, Stage, call, fault, id, observe};
use super::wat_canister::{Wait, canister, forwarder, ledger};

/// A stage whose scenario has these lines in `[check]`, too.
fn with_check(stage: Stage, lines: &str) -> Stage {
    let file = stage.file("scenario.toml");
    let text = std::fs::read_to_string(&file).expect("it was written");
    let text = text.replace(NO_ORACLES, "");
    std::fs::write(&file, format!("{text}\n[check]\n{lines}\n")).expect("the folder can be written");
    stage
}

fn folded(engine: &mut Embedded) -> Explored {
    let explored = explore(engine, &Budget::default(), &mut |_| {}).unwrap_or_else(|error| panic!("{error}"));
    explored.folded(&engine.scenario)
}

/// Names of what was found with the grade, calls and faults of each, and the oracles that find the same.
fn found(engine: &mut Embedded) -> Vec<(String, Grade, u32, u32, Vec<String>)> {
    let explored = folded(engine);
    let name = |at: &usize| engine.scenario.invariants[*at].name.clone();
    let findings = explored.findings.iter();
    findings
        .map(|finding| {
            let also = finding.also.iter().map(name).collect();
            (name(&finding.invariant), finding.grade, finding.calls, finding.faults, also)
        })
        .collect()
}

/// An outcome without each combination of its rejected calls.
fn without_rejected(outcome: &str) -> BTreeSet<String> {
    let (observed, calls) = outcome.split_once(" | ").expect("observations and calls");
    let calls: Vec<&str> = calls.split("; ").collect();
    let rejected: Vec<usize> = (0..calls.len()).filter(|&at| calls[at].contains(" rejected ")).collect();
    let mut found = BTreeSet::new();
    for left_out in 0..1u32 << rejected.len() {
        let is_out =
            |at: &usize| rejected.iter().position(|other| other == at).is_some_and(|n| left_out & (1 << n) != 0);
        let kept: Vec<&str> = (0..calls.len()).filter(|at| !is_out(at)).map(|at| calls[at]).collect();
        found.insert(format!("{observed} | {}", kept.join("; ")));
    }
    found
}

#[test]
fn serializable_is_violated_exactly_where_brute_force_finds_an_outcome_that_no_order_without_a_switch_has() {
    let (mut violated, mut held) = (0, 0);
    for recipe in recipes() {
        if recipe.deliveries_max() > 8 {
            continue;
        }
        let stage = with_check(recipe.stage(), "serializable = true");
        let scenario = stage.scenario();
        if scenario.instances().len() > 3 {
            continue;
        }
        let limits = Limits { interleavings_max: Some(20_000), ..Limits::default() };
        let brute = Enumerator::new(&scenario, &limits);
        let all = brute.within(Bounds { faults: 0, ..scenario.bounds });
        let one_by_one = brute.within(Bounds { faults: 0, switches: Some(0), ..scenario.bounds });
        let mut sequential: BTreeSet<String> = one_by_one.outcomes.into_values().flatten().collect();
        // No call at all: what is observed at the start.
        let mut engine = stage.open();
        let start = engine.start().clone();
        let observations = engine.observe(&start).expect("all is offered");
        sequential.insert(engine.outcome(&observations, &[]).to_string());
        let outcomes: BTreeSet<String> = all.outcomes.into_values().flatten().collect();
        let is_violated = outcomes.iter().any(|outcome| without_rejected(outcome).is_disjoint(&sequential));
        let explored = folded(&mut engine);
        let position = engine.scenario.invariants.iter().position(|invariant| invariant.name == "serializable");
        let is_found = explored.findings.iter().any(|finding| {
            Some(finding.invariant) == position || finding.also.iter().any(|also| Some(*also) == position)
        });
        assert_eq!(is_found, is_violated, "{recipe:?}\n{outcomes:#?}\n{sequential:#?}");
        *if is_violated { &mut violated } else { &mut held } += 1;
        if violated + held == 60 {
            break;
        }
    }
    assert!(violated >= 10 && held >= 10, "{violated} violated, {held} held");
}

/// A canister whose `w` takes a lock, awaits `t` of c1 and gives the lock back, of a reject only if it is told to.
pub fn locking(on_reject: &str) -> String {
    canister(&format!(
        r#"(table 1 funcref) (elem (i32.const 0) $answered)
           (func $unlock (i32.store (i32.const 2048) (i32.const 0)))
           (func $answered (param i32)
             (if (i32.eqz (call $reject_code))
               (then (call $unlock) (call $reply))
               (else {on_reject} (call $msg_reject (i32.const 512) (i32.const 1)))))
           (func (export "canister_update w")
             (if (i32.load (i32.const 2048))
               (then (call $msg_reject (i32.const 513) (i32.const 1)))
               (else
                 (i32.store (i32.const 2048) (i32.const 1))
                 (call $to (i32.const 1) (i32.const 't') (i32.const 0) (i32.const 0))
                 (call $send))))
           (func (export "canister_query busy") (call $number (i32.load (i32.const 2048))))"#
    ))
}

/// Calls of `w` of c0 with these further lines, the oracles that these lines name, and at most one of these faults.
fn calls_of_w(canisters: &[String], more: &str, check: &str, kinds: &str) -> Stage {
    let fault = if kinds.is_empty() { String::new() } else { fault("t", kinds) };
    with_check(Stage::new(canisters, &format!("{}{fault}", call("w", 0, "w", more))), check)
}

#[test]
fn a_lock_that_a_reject_leaves_behind_is_found_by_the_probe_and_one_that_is_given_back_is_not() {
    let leaks = calls_of_w(&[locking(""), ledger()], "max = 2", "probe = true", "\"clean_reject\"");
    assert_eq!(found(&mut leaks.open()), [("probe: c0.w".to_string(), Grade::B, 1, 1, vec![])]);
    let explored = folded(&mut leaks.open());
    let reason = explored.findings[0].error.as_deref();
    let said = "nothing is on its way, and `w` made now fails: reject 4: B; it never does when calls are made one after the other";
    assert_eq!(reason, Some(said));
    let gives_back = calls_of_w(&[locking("(call $unlock)"), ledger()], "max = 2", "all = true", "\"clean_reject\"");
    assert_eq!(found(&mut gives_back.open()), []);
}

#[test]
fn an_error_that_is_allowed_is_no_leak() {
    let check = "probe = { allow = [\"reject 4: B\"] }";
    let leaks = calls_of_w(&[locking(""), ledger()], "max = 2", check, "\"clean_reject\"");
    assert_eq!(found(&mut leaks.open()), []);
}

#[test]
fn a_callback_that_traps_is_of_grade_c_and_one_that_a_fault_makes_trap_is_nothing() {
    let traps = locking("(call $trap (i32.const 512) (i32.const 1))");
    let rejected = calls_of_w(&[traps.clone(), ledger()], "", "no_callback_trap = true", "\"clean_reject\"");
    assert_eq!(found(&mut rejected.open()), [("no-callback-trap: c0".to_string(), Grade::C, 1, 1, vec![])]);
    let injected = calls_of_w(
        &[traps, ledger()],
        "[[fault]]\nat = \"c0.callback\"\nkinds = [\"trap\"]",
        "no_callback_trap = true",
        "",
    );
    assert_eq!(found(&mut injected.open()), []);
}

/// c0 forwards to c1, a stub that never answers.
fn waits_for_a_stub(wait: Wait) -> Stage {
    let stub = format!(
        "[canister.c1]\nbuiltin = \"stub\"\nid = \"{}\"\n[canister.c1.replies]\nt = {{ hold = true }}\n",
        id(1)
    );
    let rest = format!("{stub}{}", call("w", 0, "w", "args = \"(0 : nat32)\""));
    with_check(Stage::new(&[forwarder(&[1], wait)], &rest), "stop_terminates = true\nall_calls_answered = true")
}

#[test]
fn waiting_without_a_bound_for_what_never_comes_is_found_and_waiting_with_one_is_not() {
    let also = vec!["all-calls-answered: c0.w".to_string()];
    let expected = [("stop-terminates: c0".to_string(), Grade::A, 1, 0, also)];
    assert_eq!(found(&mut waits_for_a_stub(Wait::Unbounded).open()), expected);
    assert_eq!(found(&mut waits_for_a_stub(Wait::Bounded).open()), []);
}

#[test]
fn a_canister_that_forgets_to_reply_is_found() {
    let silent = canister("(func (export \"canister_update w\"))");
    let stage = with_check(Stage::new(&[silent], &call("w", 0, "w", "")), "all_calls_answered = true");
    let expected = [("all-calls-answered: c0.w".to_string(), Grade::A, 1, 0, vec![])];
    assert_eq!(found(&mut stage.open()), expected);
}

/// Writes x, then rejects; or the other way round, with a trap that undoes it.
fn failing(traps: bool) -> String {
    let end = if traps {
        "(call $trap (i32.const 512) (i32.const 1))"
    } else {
        "(call $msg_reject (i32.const 512) (i32.const 1))"
    };
    canister(&format!(
        r#"(func (export "canister_update w") (i32.store (i32.const 2048) (i32.const 7)) {end})
           (func (export "canister_update v") (i32.store (i32.const 2052) (i32.const 7)) (call $reply))
           (func (export "canister_query x") (call $number (i32.load (i32.const 2048))))"#
    ))
}

#[test]
fn an_error_after_a_write_is_found_and_a_trap_that_undoes_the_write_is_not() {
    let stage = |traps, check: &str| {
        let rest = format!("{}{}{}", observe(0, "x"), call("w", 0, "w", ""), call("v", 0, "v", ""));
        with_check(Stage::new(&[failing(traps)], &rest), check)
    };
    let expected = [("err-is-noop: c0.w".to_string(), Grade::A, 1, 0, vec![])];
    assert_eq!(found(&mut stage(false, "err_is_noop = true").open()), expected);
    let explored = folded(&mut stage(false, "err_is_noop = true").open());
    assert_eq!(explored.findings[0].error.as_deref(), Some("call 0 answered with an error, and x was 0 and is 7"));
    assert_eq!(found(&mut stage(false, "err_is_noop = { ignore = [\"x\"] }").open()), []);
    assert_eq!(found(&mut stage(true, "err_is_noop = true").open()), []);
}

#[test]
fn a_run_in_which_every_call_fails_exercises_nothing_and_says_so() {
    let stage = with_check(Stage::new(&[failing(true)], &call("w", 0, "w", "max = 2")), "all = true");
    let mut engine = stage.open();
    let explored = folded(&mut engine);
    assert_eq!(Verdict::of(&engine.scenario, &explored), Verdict::Inconclusive);
    let said = text::summary(&engine.scenario, &explored);
    assert!(said.starts_with("test: inconclusive\n"), "{said}");
    assert!(said.contains("\nnothing was exercised: every call was answered with an error\n"), "{said}");
    let note =
        format!("\nnote: `w` was only ever answered with errors: reject 5: IC0503: Error from Canister {}: ", id(0));
    assert!(said.contains(&note), "{said}");
    // One call that succeeds is enough for a verdict; the other is named.
    let both = format!("{}{}", call("w", 0, "w", ""), call("v", 0, "v", ""));
    let stage = with_check(Stage::new(&[failing(true)], &both), "all = true");
    let mut engine = stage.open();
    let explored = folded(&mut engine);
    assert_eq!(Verdict::of(&engine.scenario, &explored), Verdict::Held);
    assert_eq!(explored.refused.iter().map(|(entry, _)| *entry).collect::<Vec<_>>(), [0]);
}

#[test]
fn one_bug_is_one_finding_and_two_bugs_are_two() {
    // The lock stays after a reject, which the probe sees; and it is an effect of a call that failed.
    let rest = format!("{}{}", observe(0, "busy"), fault("t", "\"clean_reject\""));
    let stage = Stage::new(&[locking(""), ledger()], &format!("{}{rest}", call("w", 0, "w", "max = 2")));
    let stage = with_check(stage, "all = true");
    let also = vec!["probe: c0.w".to_string()];
    assert_eq!(found(&mut stage.open()), [("err-is-noop: c0.w".to_string(), Grade::B, 1, 1, also)]);
    // A method that writes and fails beside one that leaks.
    let silent = canister("(func (export \"canister_update s\"))");
    let calls = format!("{}{}", call("w", 0, "w", "max = 2"), call("s", 2, "s", ""));
    let stage = with_check(Stage::new(&[locking(""), ledger(), silent], &format!("{calls}{rest}")), "all = true");
    let names: Vec<String> = found(&mut stage.open()).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["all-calls-answered: c2.s", "err-is-noop: c0.w"]);
}

#[test]
fn shards_and_workers_find_what_one_thread_finds() {
    let rest = format!("{}{}", observe(0, "busy"), fault("t", "\"clean_reject\", \"perform_failed\""));
    let calls = format!("{}{}", call("w", 0, "w", "max = 2"), call("t", 1, "t", "args = \"(3 : nat32)\""));
    let stage = with_check(Stage::new(&[locking(""), ledger()], &format!("{calls}{rest}")), "all = true");
    let one = folded(&mut stage.open());
    let found = |explored: &Explored| {
        let findings = explored.findings.iter();
        findings
            .map(|f| (f.invariant, f.schedule.to_string(), f.worlds, f.error.clone(), f.also.clone()))
            .collect::<Vec<_>>()
    };
    assert!(!one.findings.is_empty());
    let mut engine = stage.open();
    let two = explore(&mut engine, &Budget { workers: 2, ..Budget::default() }, &mut |_| {}).expect("all is offered");
    assert_eq!(found(&two.folded(&engine.scenario)), found(&one));
    for of in [2, 3] {
        let shards = merged(&engine, of);
        let names = |explored: &Explored| {
            found(explored)
                .into_iter()
                .map(|(at, steps, _, reason, also)| (at, steps, reason, also))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&shards), names(&one));
        assert_eq!((shards.exercised, &shards.refused), (one.exercised, &one.refused));
    }
}
