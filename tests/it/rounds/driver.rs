//! What a driver does beside letting rounds pass: stand-ins, canisters without cycles, time, administration.

use canloom::rounds::Aim;

use super::super::corpus;
use super::super::puppet::{Call, Program, Theater};
use super::super::stage::id;
use super::{played, refused};

/// c0 calls c1 twice, without waiting in between.
fn two_calls() -> Theater {
    let call = || Call::run(id(1), Program::new().reply());
    Theater::of(2).call(0, &Program::new().call(call()).call(call()).reply())
}

#[test]
fn a_stand_in_executes_when_it_is_told_and_answers_when_it_is_told() {
    let mut engine = two_calls().stage().open();
    let head = "stand-in: c1\nsubmit 0; tick; tick; serve 0.1; serve 0.2; answer 0.2; ";
    let (_, steps) = played(&mut engine, &format!("{head}answer 0.1; tick; tick"), Aim::Label);
    assert_eq!(steps, "0 | 0.1 | 0.2 | 0.1r 0.2r");
    let (_, steps) = played(&mut engine, &format!("{head}tick; tick; answer 0.1; tick; tick"), Aim::Label);
    assert_eq!(steps, "0 | 0.1 | 0.2 | 0.2r | 0.1r");
}

#[test]
fn what_a_driver_cannot_do_with_a_stand_in_is_refused() {
    let mut engine = two_calls().stage().open();
    let mut refused = |script: &str| refused(&mut engine, &format!("stand-in: c1\n{script}"), Aim::Label);
    let order = "not legal on the IC: requests from one canister to another start in the order in which they were sent, and 0.1 \
                 was sent before 0.2";
    for (script, at, why) in [
        ("submit 0; serve 0.1", 1, "0.1: no such request waits for the driver"),
        ("submit 0; tick; serve 0.2", 2, order),
        ("submit 0; tick; serve 0.1; serve 0.1", 3, "0.1 is served already"),
        ("submit 0; tick; answer 0.1", 2, "0.1 has no answer yet"),
        ("submit 0; tick; serve 0.1; answer 0.1", 3, "0.1 has just arrived, or is answered already"),
        ("submit 0; submit 0", 1, "0 is submitted already"),
        ("thaw c0", 0, "c0 has enough cycles already"),
        ("freeze c0; submit 0", 1, "0: c0 has too few cycles"),
    ] {
        assert_eq!(refused(script), (at, why.to_string()), "{script}");
    }
}

#[test]
fn a_stand_in_cannot_call_a_canister_that_is_none() {
    let back = Program::new().call(Call::run(id(0), Program::new().reply())).reply();
    let theater = Theater::of(2).call(0, &Program::new().call(Call::run(id(1), back)).reply());
    let (at, why) = refused(&mut theater.stage().open(), "stand-in: c1\nsubmit 0; tick; serve 0.1", Aim::Label);
    assert_eq!((at, why.as_str()), (2, "0.1.1: the driver plays c1, and so cannot call c0 in its name"));
}

#[test]
fn stand_ins_call_each_other_at_once() {
    let on = Program::new().call(Call::run(id(2), Program::new().reply()).on_reply(Program::new().reply()));
    let theater = Theater::of(3).call(0, &Program::new().call(Call::run(id(1), on)).reply());
    let script = "stand-in: c1, c2\nsubmit 0; tick; serve 0.1; tick; answer 0.1; tick; tick";
    assert_eq!(played(&mut theater.stage().open(), script, Aim::Label).1, "0 | 0.1 0.1.1 0.1.1r | 0.1r");
}

#[test]
fn a_canister_without_cycles_rejects_requests_until_it_has_some() {
    let mut engine = two_calls().fault(0, 1, "\"clean_reject\"").more("[explore]\nfaults = 2\n").stage().open();
    let (_, steps) = played(&mut engine, "freeze c1; submit 0; tick loaded; thaw c1; tick", Aim::Label);
    assert_eq!(steps, "0 | 0.1 0.2 0.1r 0.2r");
    let (at, why) = refused(&mut engine, "freeze c1; submit 0; tick", Aim::Label);
    assert_eq!(at, 2);
    assert!(why.starts_with("outside the scenario's bounds: "), "{why}");
    let mut engine = Theater::of(2)
        .call(0, &Program::new().call(Call::run(id(1), Program::new().reply())).reply())
        .fault(0, 1, "\"clean_reject\"")
        .stage()
        .open();
    assert_eq!(played(&mut engine, "freeze c1; submit 0; tick", Aim::Label).1, "0 0.1j 0.1r");
}

#[test]
fn a_deadline_that_has_passed_is_told_at_the_start_of_a_round_and_the_request_is_dropped() {
    // The callee is busy with itself in loaded rounds, so what waits for it waits longer.
    let call = Call::run(id(1), Program::new().reply()).timeout(10);
    let theater = Theater::of(2).call(0, &Program::new().call(call).reply()).fault(0, 1, "\"sys_unknown\"");
    let mut engine = theater.stage().open();
    assert_eq!(played(&mut engine, "submit 0; tick; advance 12s; tick", Aim::Label).1, "0 0.1 0.1r");
    // The answer is in the stream when the time has passed.
    let script = "submit 0; tick loaded; tick loaded; advance 12s; tick";
    assert_eq!(played(&mut engine, script, Aim::Label).1, "0 | 0.1 | 0.1x 0.1r");
    let script = "stand-in: c1\nsubmit 0; tick; advance 12s; tick; serve 0.1; tick";
    assert_eq!(played(&mut engine, script, Aim::Label).1, "0 | 0.1x 0.1r | 0.1");
}

#[test]
fn an_outcall_waits_for_its_answer_and_the_callback_runs_in_the_second_tick_after_it() {
    let mut engine = corpus::open(&corpus::folder().join("outcall/scenario.toml"));
    let script = "submit 0; submit 1; tick; tick; serve 0.1; tick; tick; serve 1.1; tick; tick";
    assert_eq!(played(&mut engine, script, Aim::PocketIc).1, "0 1 | 0.1 | 0.1r | 1.1 | 1.1r");
    let script = "submit 0; submit 1; tick; tick; serve 0.1; serve 1.1; tick; tick";
    assert_eq!(played(&mut engine, script, Aim::PocketIc).1, "0 1 | 0.1 | 1.1 | 0.1r 1.1r");
    assert_eq!(refused(&mut engine, "submit 0; tick; serve 0.1", Aim::PocketIc).0, 2);
}

#[test]
fn an_administrators_call_is_made_before_the_calls_of_its_block() {
    let mut engine = corpus::open(&corpus::folder().join("upgrade/scenario.toml"));
    let script = "submit 0; tick; tick; serve 0.1; do till.upgrade1; answer 0.1; tick; tick";
    assert_eq!(played(&mut engine, script, Aim::PocketIc).1, "0 | 0.1 | till.upgrade1 | 0.1r");
}
