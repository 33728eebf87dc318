//! The search and brute force agree where things happen without a call: tasks, time, inspection, lifecycle, every fault.
//!
//! Numbers in the tests are derived on paper, as the comments say. A complete execution that can go on counts again at its end.

use super::super::puppet::expr::{cell, time, timer_set};
use super::super::puppet::{Call, Program, Theater, unrest};
use super::super::stage::id;
use super::{Tally, agreed};

/// Puppets in a scenario with these tables beside its calls.
fn interleavings(theater: Theater, more: &str) -> u64 {
    agreed(&theater.observe("x", 0, cell(0)).more(more).stage()).interleavings
}

/// One call: c0 awaits c1, and replies when it has answered.
fn awaiting() -> Theater {
    awaiting_by(Call::run(id(1), Program::new().reply()))
}

fn awaiting_by(call: Call) -> Theater {
    Theater::of(2).call(0, &Program::new().call(call.on_answer(Program::new().add(0, 1).reply())))
}

/// A fault on c0 or c1 as a whole.
fn change(puppet: usize, kinds: &str) -> String {
    format!("[[fault]]\nat = \"c{puppet}.upgrade\"\nkinds = [{kinds}]\n")
}

const EDGE: &str = "[[fault]]\nedge = \"c0 -> c1.run\"\n";

// 0; 0 @1 t1, where 0 @1 is not complete; @1 0, where the timer is set for later.
#[test]
fn timer_of_the_future_has_3_interleavings_with_a_time_step() {
    let set = Program::new().ask(timer_set(time().plus(3_000_000_000_u128))).reply();
    let time = "[[time]]\nadvance = \"3s\"\n";
    assert_eq!(interleavings(Theater::of(1).call(0, &set), time), 3);
}

// Without @1: 1, and 1 when it follows. @1 first: 1. 0 @1: the five of a call that may expire. 0 0.1 @1: 0.1r, 0.1x 0.1r.
#[test]
fn deadline_that_passes_by_a_time_step_makes_10_interleavings() {
    let call = Call::run(id(1), Program::new().reply()).timeout(10);
    assert_eq!(interleavings(awaiting_by(call), "[[time]]\nadvance = \"11s\"\n"), 10);
}

// No fault: 1. S 0 G and S G 0 0.1 0.1r; S in the three gaps after 0, where G waits for 0.1r: 3.
#[test]
fn upgrade_waits_until_the_canister_has_stopped_in_6_interleavings() {
    assert_eq!(interleavings(awaiting(), &change(0, "\"stop_upgrade_start\"")), 6);
}

// No fault: 1. Trap: 1. U at four places: 4. Trap, then U: 1. After U no code runs that could trap.
#[test]
fn callback_of_an_uninstalled_canister_does_not_trap_in_7_interleavings() {
    let trap = "[[fault]]\nat = \"c0.callback\"\nkinds = [\"trap\"]\n[explore]\nfaults = 2\n";
    assert_eq!(interleavings(awaiting(), &(change(0, "\"uninstall\"") + trap)), 7);
}

// No fault: 1. B: 1. S at four places: 4. B, then S: 2. After S nobody is there to answer with an error.
#[test]
fn stopped_callee_answers_no_error_of_its_own_in_8_interleavings() {
    let business = format!("{EDGE}kinds = [\"business_err\"]\nbusiness_err = \"(1 : nat8)\"\n[explore]\nfaults = 2\n");
    assert_eq!(interleavings(awaiting(), &(change(1, "\"stop\"") + &business)), 8);
    assert_eq!(interleavings(awaiting(), &(change(1, "\"uninstall\"") + &business)), 8);
}

// 0; 0 and N: 2; 0 and S: 2; 0, N before L: 3; 0, N before S: 3; all, N before L and S: 24 / 3 = 8.
#[test]
fn snapshot_may_be_loaded_after_a_stop_in_19_interleavings() {
    let faults = change(0, "\"snapshot_load\"") + &change(0, "\"stop\"") + "[explore]\nfaults = 2\n";
    assert_eq!(interleavings(Theater::of(1).call(0, &Program::new().reply()), &faults), 19);
}

// 0; 0 and U: 2; 0 and N: 2; 0, N before L: 3; 0, N and U: 6; all, N before L and U: 8. N after U fails: no L.
#[test]
fn canister_without_a_module_has_no_snapshot_in_22_interleavings() {
    let faults = change(0, "\"snapshot_load\"") + &change(0, "\"uninstall\"") + "[explore]\nfaults = 2\n";
    assert_eq!(interleavings(Theater::of(1).call(0, &Program::new().reply()), &faults), 22);
}

// 0; S 0, in which it is refused, and 0 S: 2; 0 and N: 2; 0, N before L: 3. After S nothing is waited for.
#[test]
fn stop_for_good_beside_a_snapshot_is_no_stop_for_a_while_in_8_interleavings() {
    let faults = change(0, "\"stop\", \"snapshot_load\"");
    assert_eq!(interleavings(Theater::of(1).call(0, &Program::new().reply()), &faults), 8);
}

// 0 and 0p1: the call is performed, or not, before the trap.
#[test]
fn call_of_a_delivery_that_traps_may_fail_too() {
    let call = Call::run(id(1), Program::new()).result_in(1);
    let either = Program::new().either(cell(1), Program::new().say(7), Program::new().trap("sent"));
    let theater = Theater::of(2).call(0, &Program::new().call(call).then(&either));
    let found = agreed(&theater.more(&format!("{EDGE}kinds = [\"perform_failed\"]\n")).stage());
    assert_eq!(found.interleavings, 2);
    let all: Vec<&str> = found.outcomes.values().flatten().map(String::as_str).collect();
    assert_eq!(all, [" | e0 rejected 5", " | e0 = 7"]);
}

// Both accepted first: 2 orders, then 2 of the starts; one through before the other is accepted: 2.
#[test]
fn two_inspected_calls_have_6_interleavings() {
    let wasm = std::fs::read(super::super::puppet::theater::module("puppet_tasks")).expect("it was built");
    let call = |at: u8| {
        let args = Program::new().set(0, u128::from(at)).reply().candid();
        super::call(&format!("e{at}"), 0, "run", &format!("args = '{args}'"))
    };
    let rest = call(0) + &call(1) + "[explore]\nheartbeats = 0\n";
    assert_eq!(agreed(&super::Stage::of_modules(&[wasm], &rest)).interleavings, 6);
}

#[test]
fn search_and_brute_force_agree_on_150_random_scenarios_of_unrest() {
    let mut tally = Tally { interleavings_max: 1_000, ..Tally::default() };
    for unrest in unrest::unrests() {
        tally.compare(&unrest, unrest.steps_max() + 1, || unrest.stage());
        if tally.compared == 150 {
            break;
        }
    }
    let Tally { redrawn, violated, with_orders, with_faults, interleavings, kinds, .. } = tally;
    println!("{interleavings} interleavings, {redrawn} redrawn; scenarios with a step of each kind: {kinds:?}");
    println!("{violated} with a violation, {with_orders} in which order shows, {with_faults} with faults");
    assert_eq!(kinds.len(), 23, "a kind of step is in none of the scenarios: {kinds:?}");
    let rare: Vec<_> = kinds.iter().filter(|(_, scenarios)| **scenarios < 2).collect();
    assert!(rare.is_empty(), "too rare: {rare:?}");
    assert!(violated >= 40, "only {violated} of the random scenarios violate something");
    assert!(with_orders >= 40, "in only {with_orders} of the random scenarios order shows in the outcome");
    assert!(redrawn <= 600, "{redrawn} scenarios were too large");
}
