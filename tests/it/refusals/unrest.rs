//! Refusals of steps that need no call: tasks, time, inspection, changes of canisters; and of faults on callees and callbacks.

use super::super::puppet::expr::{time, timer_set};
use super::super::puppet::{Call, Program, Theater, theater};
use super::super::stage::{Stage, call, id};
use super::refusal_in;

/// The last step of the schedule is refused with this text.
fn assert_refused(stage: &Stage, schedule: &str, rule: &str) {
    let (number, step, refusal, _) = refusal_in(stage, schedule);
    let steps: Vec<&str> = schedule.split_whitespace().collect();
    assert_eq!((number, step.as_str(), refusal.as_str()), (steps.len(), steps[steps.len() - 1], rule), "{schedule}");
}

/// Calls 0 and 1: c0 awaits c1.
fn awaiting(more: &str) -> Stage {
    let call = Call::run(id(1), Program::new().reply()).timeout(10).on_answer(Program::new().reply());
    let program = Program::new().call(call);
    Theater::of(2).call(0, &program).call(0, &program.clone().set(1, 1)).more(more).stage()
}

/// Call 0 sets the timer of c0 so many seconds ahead.
fn ticking(seconds: u128, more: &str) -> Stage {
    let set = Program::new().ask(timer_set(time().plus(seconds * 1_000_000_000))).reply();
    Theater::of(1).call(0, &set).more(more).stage()
}

/// c0 has heartbeats and inspects; call 0 awaits a call of itself.
fn tasks(more: &str) -> Stage {
    let wasm = std::fs::read(theater::module("puppet_tasks")).expect("it was built");
    let own = Call::run(id(0), Program::new().reply()).on_answer(Program::new().reply());
    let args = Program::new().call(own).candid();
    Stage::of_modules(&[wasm], &(call("e0", 0, "run", &format!("args = '{args}'")) + more))
}

fn change(canister: usize, kinds: &str) -> String {
    format!("[[fault]]\nat = \"c{canister}.upgrade\"\nkinds = [{kinds}]\n")
}

#[test]
fn timer_that_is_not_due_is_refused() {
    assert_refused(&ticking(3, ""), "0 c0.t1", "not legal on the IC: the timer of canister c0 is not due");
    assert_refused(&ticking(3, ""), "c0.t1", "not legal on the IC: the timer of canister c0 is not due");
}

#[test]
fn second_firing_before_the_first_and_the_same_one_twice_are_refused() {
    let rule = "not legal on the IC: c0.t2 comes after the ones with lower numbers";
    assert_refused(&ticking(0, ""), "0 c0.t2", rule);
    assert_refused(&ticking(0, ""), "0 c0.t1 c0.t1", "not legal on the IC: c0.t1 has run already");
    let rule =
        "outside the scenario's bounds: the module has no entry point for c0.t3, or the scenario allows fewer of them";
    assert_refused(&ticking(0, "[explore]\ntimers = 2\n"), "0 c0.t3", rule);
    let rule =
        "outside the scenario's bounds: the module has no entry point for c0.h1, or the scenario allows fewer of them";
    assert_refused(&ticking(0, ""), "c0.h1", rule);
}

#[test]
fn heartbeat_and_timer_of_a_stopping_canister_are_refused() {
    let rule = "not legal on the IC: canister c0 is not running, so no timer and no heartbeat runs";
    assert_refused(&tasks(&change(0, "\"stop\"")), "0s 0 c0.stop1 c0.h1", rule);
    assert_refused(&ticking(0, &change(0, "\"stop\"")), "0 c0.stop1 c0.t1", rule);
}

#[test]
fn start_before_inspection_and_inspection_of_what_is_not_inspected_are_refused() {
    let rule = "not legal on the IC: call 0 must pass inspect_message first, as step 0s";
    assert_refused(&tasks(""), "0", rule);
    let rule = "not legal on the IC: 0s: there is nothing that inspects call 0 now";
    assert_refused(&tasks(""), "0s 0s", rule);
    assert_refused(&ticking(0, ""), "0s", rule);
}

#[test]
fn time_beyond_its_budget_is_refused() {
    let stage = ticking(0, "[[time]]\nadvance = \"1s\"\nmax = 2\n");
    assert_refused(&stage, "@1 @1 @1", "outside the scenario's bounds: @1 is possible 2 times at most");
    assert_refused(&stage, "@2", "no such message: @2: the scenario has 1 time steps");
}

#[test]
fn changes_out_of_turn_are_refused() {
    let rule = |step: &str| {
        format!(
            "outside the scenario's bounds: {step}: the scenario has no fault, or no budget left, for it, or it is not its turn"
        )
    };
    let stage = awaiting(&change(0, "\"stop_upgrade_start\""));
    assert_refused(&stage, "0 c0.stop1 c0.upgrade1", &rule("c0.upgrade1"));
    assert_refused(&stage, "0 c0.stop1 0.1 0.1r c0.start1", &rule("c0.start1"));
    assert_refused(&stage, "c0.stop1 c0.upgrade1 c0.stop2", &rule("c0.stop2"));
    let stage = awaiting(&change(0, "\"stop_start\", \"snapshot_load\""));
    assert_refused(&stage, "c0.start1", &rule("c0.start1"));
    assert_refused(&stage, "c0.load1", &rule("c0.load1"));
    assert_refused(&stage, "c0.stop1 c0.stop2", &rule("c0.stop2"));
    assert_refused(&stage, "c0.snapshot1 c0.load1 c0.load1", &rule("c0.load1"));
    assert_refused(&stage, "c9.stop1", "no such message: the scenario has no canister `c9`");
}

const ANSWERS: &str = "[[fault]]\nedge = \"c0 -> c1.run\"\nkinds = [\"business_err\", \"lie\", \"canister_error\"]\n\
                       business_err = '(\"no\")'\nlie = \"(7 : nat64)\"\n[explore]\nfaults = 2\n";

#[test]
fn answer_in_place_of_a_request_that_is_not_first_in_its_queue_is_refused() {
    let rule = "not legal on the IC: requests from one canister to another start in the order in which they were sent, and 0.1 \
                was sent before 1.1";
    for step in ["1.1b", "1.1l"] {
        assert_refused(&awaiting(ANSWERS), &format!("0 1 {step}"), rule);
    }
    let rule = "not legal on the IC: request 0.1 is delivered at most once";
    assert_refused(&awaiting(ANSWERS), "0 0.1 0.1b", rule);
    assert_refused(&awaiting(ANSWERS), "0 0.1b 0.1l", rule);
    assert_refused(
        &awaiting(ANSWERS),
        "0 0.1 0.1j5",
        "not legal on the IC: a clean reject of a request that has started",
    );
}

#[test]
fn answer_of_a_callee_that_is_stopped_or_has_no_module_is_refused() {
    let rule = "not legal on the IC: canister c1 is not running or has no module, so it answers nothing of its own";
    for (kind, step) in [("\"stop\"", "c1.stop1"), ("\"uninstall\"", "c1.uninstall1")] {
        assert_refused(&awaiting(&(change(1, kind) + ANSWERS)), &format!("0 {step} 0.1b"), rule);
    }
}

#[test]
fn trap_of_a_callback_that_does_not_run_is_refused() {
    let trap = "[[fault]]\nat = \"c0.callback\"\nkinds = [\"trap\"]\n[explore]\nfaults = 2\n";
    let rule = "not legal on the IC: response 0.1rt before its request was answered";
    assert_refused(&awaiting(trap), "0 0.1rt", rule);
    let rule = "not legal on the IC: a trap of a callback whose canister was uninstalled: no code runs";
    assert_refused(&awaiting(&(change(0, "\"uninstall\"") + trap)), "0 0.1 c0.uninstall1 0.1rt", rule);
    let rule = "outside the scenario's bounds: the scenario has no fault, or no budget left, for 1.1rt";
    assert_refused(&awaiting(trap), "0 1 0.1 1.1 0.1rt 1.1rt", rule);
}

#[test]
fn call_that_is_not_made_cannot_fail_to_be_performed() {
    let stage = awaiting("[[fault]]\nedge = \"c0 -> c1.run\"\nkinds = [\"perform_failed\"]\n");
    let rule = |step: &str| {
        format!(
            "outside the scenario's bounds: {step}: no such call is made now, or the scenario has no fault, or no budget left, for it"
        )
    };
    assert_refused(&stage, "0p2", &rule("0p2"));
    assert_refused(&stage, "0p1 1p1", &rule("1p1"));
}

#[test]
fn expiry_before_the_deadline_without_a_fault_is_refused() {
    let stage = awaiting("[[time]]\nadvance = \"10s\"\n");
    let rule = "outside the scenario's bounds: 0.1x would be one fault more than the 0 allowed";
    assert_refused(&stage, "0 @1 0.1x", rule);
}
