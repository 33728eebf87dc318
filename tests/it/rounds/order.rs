//! The order of messages in rounds (semantics 3.2 and 3.3), with puppets.

use canloom::rounds::Aim;

use super::super::puppet::expr::cell;
use super::super::puppet::{Call, Program, Theater};
use super::super::stage::id;
use super::played;

/// What a script comes to.
fn order(theater: &Theater, script: &str) -> String {
    played(&mut theater.stage().open(), script, Aim::Label).1
}

/// Calls `callees` one after the other without waiting in between, and replies when the first answer is there.
fn calls(callees: &[usize]) -> Program {
    let call = |program: Program, &callee: &usize| program.call(Call::run(id(callee), Program::new().reply()));
    callees.iter().fold(Program::new(), call).reply()
}

/// So many calls of puppet 0, each of which calls itself.
fn selfish(calls_made: usize) -> Theater {
    (0..calls_made).fold(Theater::of(1), |theater, _| theater.call(0, &calls(&[0])))
}

#[test]
fn calls_in_one_block_are_evaluated_breadth_first() {
    let script = "submit 0; submit 1; submit 2; tick";
    assert_eq!(order(&selfish(3), script), "0 1 2 0.1 1.1 2.1 0.1r 1.1r 2.1r");
}

#[test]
fn calls_of_one_block_start_in_the_order_in_which_they_were_submitted() {
    assert_eq!(order(&selfish(3), "submit 2; submit 0; submit 1; tick"), "2 0 1 2.1 0.1 1.1 2.1r 0.1r 1.1r");
}

#[test]
fn calls_in_blocks_of_their_own_do_not_overlap() {
    assert_eq!(order(&selfish(2), "submit 0; tick; submit 1; tick"), "0 0.1 0.1r | 1 1.1 1.1r");
}

#[test]
fn a_loaded_round_ends_after_one_hop_and_lets_a_call_in_between() {
    let theater = Theater::of(1).call(0, &calls(&[0])).call(0, &Program::new().reply());
    assert_eq!(order(&theater, "submit 0; tick loaded; submit 1; tick"), "0 | 0.1 1 0.1r");
    assert_eq!(order(&theater, "submit 0; tick loaded; tick loaded; submit 1; tick"), "0 | 0.1 | 1 0.1r");
}

#[test]
fn parallel_calls_are_answered_in_order_of_the_callees_ids() {
    let theater = Theater::of(3).call(0, &calls(&[2, 1]));
    assert_eq!(order(&theater, "submit 0; tick"), "0 0.2 0.1 0.2r 0.1r");
}

#[test]
fn calls_of_one_callee_are_answered_in_the_order_of_its_replies() {
    // The first call is answered only when the callee has called itself.
    let late = Program::new().call(Call::run(id(1), Program::new().reply()).on_reply(Program::new().reply()));
    let first = Program::new().call(Call::run(id(1), late)).call(Call::run(id(1), Program::new().reply())).reply();
    let theater = Theater::of(2).call(0, &first);
    assert_eq!(order(&theater, "submit 0; tick"), "0 0.1 0.2 0.2r 0.1.1 0.1.1r 0.1r");
}

#[test]
fn a_request_arrives_before_the_reply_of_the_same_execution() {
    let back = Program::new().call(Call::run(id(0), Program::new().reply())).reply();
    let theater = Theater::of(2).call(0, &Program::new().call(Call::run(id(1), back)).reply());
    assert_eq!(order(&theater, "submit 0; tick"), "0 0.1 0.1.1 0.1r 0.1.1r");
}

#[test]
fn a_call_to_another_subnet_takes_two_ticks_whichever_comes_first() {
    let theater = Theater::of(2).call(0, &calls(&[1]));
    assert_eq!(order(&theater, "apart: c1\nsubmit 0; tick; tick"), "0 0.1 | 0.1r");
    assert_eq!(order(&theater, "apart: c0\nsubmit 0; tick; tick"), "0 | 0.1 0.1r");
    assert_eq!(order(&theater, "apart: c0, c1\nsubmit 0; tick; tick"), "0 0.1 | 0.1r");
}

#[test]
fn a_call_of_the_management_canister_takes_three_ticks() {
    let theater = Theater::of(1).call(
        0,
        &Program::new()
            .call(Call::to(candid::Principal::management_canister(), "raw_rand").with(&b"DIDL\0\0"[..]))
            .reply(),
    );
    assert_eq!(order(&theater, "submit 0; tick; tick; tick"), "0 | 0.1 | 0.1r");
}

#[test]
fn a_call_of_nobody_is_rejected_in_the_next_round() {
    let theater = Theater::of(1).call(0, &calls(&[9]));
    assert_eq!(order(&theater, "submit 0; tick; tick"), "0 | 0.1r");
}

#[test]
fn an_execution_of_many_instructions_takes_as_many_rounds_as_it_fills() {
    // About 7 billion instructions: four rounds. Meanwhile calls of c0 start, and hops take a round each.
    let slow = Program::new().burn(7_000_000_000_u128).reply();
    let theater = Theater::of(2)
        .call(0, &Program::new().call(Call::run(id(1), slow)).reply())
        .call(0, &Program::new().add(0, 1).reply())
        .observe("x", 0, cell(0));
    let script = "submit 0; tick; submit 1; tick; tick; tick; tick; tick";
    let mut engine = theater.stage().open();
    let (_, steps) = played(&mut engine, script, Aim::Label);
    assert_eq!(steps, "0 | 1 | 0.1 0.1r");
    let (world, steps) = played(&mut engine, "submit 0; tick; submit 1; tick", Aim::Label);
    assert_eq!(steps, "0 | 1");
    assert_eq!(engine.observe(&world).unwrap()[0].to_string(), "1");
}
