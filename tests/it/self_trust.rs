//! The tool watches itself: executions are run twice, traces are chained, and what was never evaluated does not count as held.

use std::sync::Arc;

use canloom::counterexample::{replay, replay_twice};
use canloom::explore::{Budget, explore};
use canloom::kernel::guest::{Env, Execution};
use canloom::kernel::{CallSpec, Guest, Input, Kernel, Limits, MemoryId, Plan, Response};
use canloom::report::{Verdict, text, unchecked};

use super::stage::{Stage, call, explore_all, id, observe};
use super::wat_canister::{Wait, canister, forwarder, ledger};

/// A guest that replies how often it was asked: no function of its state.
struct Forgetful(u8);

impl Guest for Forgetful {
    fn execute(&mut self, memory: MemoryId, _: Input<'_>, _: &Env<'_>) -> Result<Execution, String> {
        self.0 += 1;
        Ok(Execution { response: Some(Response::Reply(Arc::from([self.0]))), ..Execution::idle(memory) })
    }

    fn fork(&self) -> Box<dyn Guest> {
        Box::new(Forgetful(self.0))
    }

    fn fingerprint(&self, _: MemoryId) -> u128 {
        0
    }
}

#[test]
fn a_guest_that_is_no_function_of_its_state_is_found_and_named_with_the_step() {
    let mut kernel = Kernel::new(vec![("c0".to_string(), id(0), Box::new(Forgetful(0)))]);
    let state = kernel.installed(MemoryId(0), 0, &[], &[]);
    let method = "count".to_string();
    let spec =
        CallSpec { entry: 0, canister: 0, method, arg: Vec::new(), chosen: None, caller: id(7), after: Vec::new() };
    let limits = Limits { calls: 1, in_flight: 1, depth: 10, ..Limits::NONE };
    kernel.plan(Plan { calls: vec![spec], limits, ..Plan::EMPTY });
    let world = kernel.start(vec![state], 0);
    let mut choices = Vec::new();
    kernel.choices(&world, &mut choices).expect("a call can start");
    let error = kernel.apply(&world, &choices[0]).expect_err("it gives two answers");
    assert!(error.is_contradiction);
    assert_eq!(
        error.what,
        "step `0`: executing `count` twice on one state gave two results: its answer; this is a bug of canloom or a \
         fault of this machine: please report it, with the scenario and its modules"
    );
}

fn two_calls() -> Stage {
    let calls: String =
        [0, 1].map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).concat();
    let invariant = "[[invariant]]\nname = \"n\"\nwhen = \"always\"\nexpr = \"total != 897\"\n";
    Stage::new(&[forwarder(&[1], Wait::Unbounded), ledger()], &format!("{calls}{}{invariant}", observe(1, "total")))
}

#[test]
fn of_few_executions_each_is_run_twice() {
    let mut engine = two_calls().open();
    explore_all(&mut engine);
    let counters = engine.kernel.counters();
    assert!(counters.executions + counters.queries < 64, "{counters:?}");
    assert_eq!(counters.repeated, counters.executions + counters.queries);
}

#[test]
fn equal_ways_have_equal_links_and_others_differ_from_where_they_part() {
    let mut engine = two_calls().open();
    let finding = explore_all(&mut engine).findings.remove(0);
    let traced = |steps: &[usize]| {
        let schedule =
            canloom::schedule::Schedule { steps: steps.iter().map(|&at| finding.schedule.steps[at].clone()).collect() };
        replay(&mut two_calls().open(), &schedule, None).expect("it replays").trace
    };
    let all: Vec<usize> = (0..finding.schedule.steps.len()).collect();
    let (one, again) = (traced(&all), traced(&all));
    assert_eq!(one, again);
    assert_eq!(one.to_string(), again.to_string());
    assert_eq!(one.first_difference(&again), None);
    // Links are told apart even where worlds are not: they say which way was taken.
    let mut links: Vec<u64> = one.events.iter().map(|event| event.link).collect();
    links.sort_unstable();
    links.dedup();
    assert_eq!(links.len(), all.len());
    let shorter = traced(&all[..2]);
    assert_eq!(one.first_difference(&shorter), Some(2));
    let mut changed = again;
    changed.events[1].link ^= 1;
    assert_eq!(one.first_difference(&changed), Some(1));
    let twice = replay_twice(&mut engine, &finding.schedule, Some(0)).expect("both are the same");
    assert_eq!(twice.trace, one);
}

/// A canister whose timer is due from the start, and a call; bounds let no timer fire, so the system is never at rest.
#[test]
fn an_invariant_that_no_world_was_reached_for_does_not_hold() {
    let body = r#"
      (func (export "canister_init") (drop (call $timer_set (i64.const 1))))
      (func (export "canister_global_timer"))
      (func (export "canister_update a") (call $reply))"#;
    let rest = |timers: u32| {
        format!(
            "[explore]\ntimers = {timers}\n{}[[invariant]]\nname = \"at rest\"\nwhen = \"quiescent\"\nexpr = \"false\"\n",
            call("a", 0, "a", "")
        )
    };
    let never = Stage::new(&[canister(body)], &rest(0));
    let explored = explore(&mut never.open(), &Budget::default(), &mut |_| {}).expect("the engine offers it");
    let scenario = never.scenario();
    assert_eq!(unchecked(&scenario, &explored), [0]);
    assert_eq!(Verdict::of(&scenario, &explored), Verdict::Inconclusive);
    let said = text::summary(&scenario, &explored);
    let expected = "never checked: \"at rest\": no world is at rest after a call; a timer of c0 is due, and the bounds let \
                    none fire: raise `timers`, which is 0\n";
    assert!(said.contains(expected), "{said}");
    let fires = Stage::new(&[canister(body)], &rest(1));
    let explored = explore_all(&mut fires.open());
    assert_eq!(unchecked(&fires.scenario(), &explored), [] as [usize; 0]);
    assert_eq!(Verdict::of(&fires.scenario(), &explored), Verdict::Violated);
}
