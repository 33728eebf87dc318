//! Corners 16 and 18: callbacks that cannot be called, and callers that waited too long.

use canloom::kernel::START_BALANCE;

use super::super::puppet::expr::{
    argument, cell, cycles_refunded, deadline, own_id, reject_code, reject_message, time,
};
use super::super::puppet::{Call, Expr, Program, Theater};
use super::super::stage::{counts, id};
use super::{bytes_of, error, no_reply, to_c1, to_the_end, trapped, violated};

#[test]
fn corner_16_callback_index_that_is_null_or_beyond_the_table_fails_when_the_response_arrives() {
    let missing =
        |index: u32| format!("Canister requested to invoke a non-existent Wasm function {index} from table 0");
    let also = |first: String, second: String| format!("{first}\n\ncall_on_cleanup also failed:\n\n{second}");
    let null = "unexpected null function reference";
    let nothing_waits = Call::to(id(1), "run");
    for (call, answer) in [
        (nothing_waits.clone().on_answer_raw(1_000, 0), error(513, &missing(1_000))),
        (nothing_waits.clone().on_answer_raw(u32::MAX, 7), error(513, &missing(u32::MAX))),
        (nothing_waits.clone().on_answer_raw(0, 0), violated(null)),
        (
            nothing_waits.clone().on_answer_raw(1_000, 0).on_cleanup_raw(1_001, 0),
            also(error(513, &missing(1_000)), missing(1_001)),
        ),
        (
            nothing_waits.clone().on_answer_raw(1_000, 0).on_cleanup_raw(0, 0),
            also(error(513, &missing(1_000)), format!("Canister violated contract: {null}")),
        ),
    ] {
        for callee in [Program::new().reply(), Program::new().reject("no"), Program::new()] {
            let program = Program::new().set(0, 1).call(call.clone().with(callee));
            let mut play = Theater::of(2).call(0, &program).observe("x", 0, cell(0)).play();
            play.steps("0 0.1");
            assert_eq!((play.answer(0), play.observe("x")), ("open".to_string(), "1".to_string()));
            play.steps("0.1r");
            assert_eq!((play.answer(0), play.observe("x")), (answer.clone(), "1".to_string()), "{call:?}");
            assert!(play.is_quiet());
        }
    }
}

#[test]
fn corner_16_callback_that_cannot_be_called_changes_nothing_of_an_early_reply() {
    let program = Program::new().set(0, 1).call(Call::to(id(1), "run").on_answer_raw(1_000, 0)).say(5);
    let mut play = Theater::of(2).call(0, &program).observe("x", 0, cell(0)).play();
    to_the_end(&mut play);
    assert_eq!((play.answer(0), play.observe("x")), ("5".to_string(), "1".to_string()));
}

/// What a caller does when it was told: says code, text and what came back.
fn tell() -> Program {
    let text = reject_code().decimal().join(" ").join(reject_message()).join(" ").join(cycles_refunded().decimal());
    Program::new().add(1, 1).reject(text)
}

#[test]
fn corner_18_expired_call_is_told_code_6_without_refund_and_the_callee_may_still_act() {
    let callee = Program::new().add(0, 1).accept(30).reply();
    let call = Call::run(id(1), callee).cycles(100).timeout(10).on_reply(Program::new().trap("late")).on_reject(tell());
    let theater = Theater::of(2)
        .call(0, &Program::new().call(call))
        .observe("told", 0, cell(1))
        .observe("acted", 1, cell(0))
        .more("[explore]\nfaults = 1\n")
        .fault(0, 1, "\"sys_unknown\"");
    let mut play = theater.play();
    // Started late, started between deadline and callback, answered in vain, never started.
    for (steps, acted, callee_gains) in [
        ("0 0.1x 0.1r 0.1", "1", 30),
        ("0 0.1x 0.1 0.1r", "1", 30),
        ("0 0.1 0.1x 0.1r", "1", 30),
        ("0 0.1x 0.1r", "0", 0),
    ] {
        play.rewind();
        play.steps(steps);
        assert_eq!(play.answer(0), "reject 4: 6 Call deadline has expired. 0", "{steps}");
        assert_eq!((play.observe("told"), play.observe("acted")), ("1".to_string(), acted.to_string()), "{steps}");
        let balances = (play.balance(0), play.balance(1));
        assert_eq!(balances, (START_BALANCE - 100, START_BALANCE + callee_gains), "{steps}");
    }
}

#[test]
fn corner_18_answer_after_the_deadline_is_dropped_and_the_callback_runs_once() {
    let call = Call::run(id(1), Program::new().reply()).timeout(10).on_answer(Program::new().add(1, 1).reply());
    let theater = Theater::of(2)
        .call(0, &Program::new().call(call))
        .observe("told", 0, cell(1))
        .more("[explore]\nfaults = 1\n")
        .fault(0, 1, "\"sys_unknown\"");
    let mut play = theater.play();
    play.steps("0 0.1x 0.1r 0.1");
    assert_eq!((play.observe("told"), play.possible(), play.is_quiet()), ("1".to_string(), String::new(), true));
}

#[test]
fn corner_18_deadline_is_in_whole_seconds_at_most_300_ahead_and_0_without_one() {
    const SECOND_NS: u64 = 1_000_000_000;
    let left = || Program::new().say(deadline().minus(time().minus(time().modulo(1_000_000_000))));
    let said = |call: Call| {
        let mut play = Theater::of(2)
            .call(0, &Program::new().call(call.on_reply(Program::new().append(argument()).reply())))
            .play();
        to_the_end(&mut play);
        play.answer(0)
    };
    for (timeout, seconds) in [(1, 1), (10, 10), (300, 300), (301, 300), (i32::MAX, 300)] {
        assert_eq!(said(Call::run(id(1), left()).timeout(timeout)), (seconds * SECOND_NS).to_string(), "{timeout}");
    }
    let plain = || Program::new().say(deadline());
    assert_eq!(said(Call::run(id(1), plain())), "0", "a call that waits for ever");
    // The deadline is that of the call context: in a callback of the callee it is the same.
    let later = Program::new().call(Call::run(id(0), Program::new().reply()).on_reply(left()));
    assert_eq!(said(Call::run(id(1), later).timeout(7)), (7 * SECOND_NS).to_string());
    let mut play = Theater::of(1).call(0, &plain()).play();
    play.steps("0");
    assert_eq!(play.answer(0), "0", "an ingress message");
}

#[test]
fn corner_18_timeout_set_twice_traps() {
    let program = Program::new().set(0, 1).call(to_c1().timeout(5).timeout(5));
    let mut play = Theater::of(2).call(0, &program).observe("x", 0, cell(0)).play();
    play.steps("0");
    let answer = play.answer(0);
    assert!(answer.starts_with(&violated("")), "{answer}");
    assert_eq!(play.observe("x"), "0");
}

#[test]
fn corner_13_self_calls_nest_and_each_is_a_message_of_its_own() {
    // Each level adds a digit before it calls and one in its callback.
    let digit = |digit: i32| Program::new().set(0, cell(0).times(10).plus(digit));
    let calls_itself = |program: Program, then: Program| {
        Program::new().call(Call::to(own_id(), "run").with(Expr::from(program)).on_reply(then))
    };
    let inner = digit(3).reply();
    let middle = digit(2).then(&calls_itself(inner, digit(4).reply()));
    let outer = digit(1).then(&calls_itself(middle, digit(5).say(cell(0))));
    let theater = Theater::of(1).call(0, &outer).call(0, &digit(9).reply());
    let mut play = theater.play();
    play.steps("0 0.1 0.1.1 0.1.1r 0.1r");
    assert_eq!(play.answer(0), "12345");
    play.rewind();
    play.steps("0 0.1 0.1.1 1 0.1.1r 0.1r");
    assert_eq!(play.answer(0), "123945");
    assert_eq!(counts(&theater.stage().explore()).0, 6);
}

#[test]
fn corner_6_cleanup_sees_the_state_before_the_callback_and_may_change_it() {
    for (cleanup, x, answer) in [
        (Program::new().set(1, cell(0)), "1", trapped("t")),
        (Program::new().set(1, cell(0)).trap("c"), "0", trapped("t")),
    ] {
        let callback = Program::new().set(0, 7).trap("t");
        let call = to_c1().on_reply(callback).on_cleanup(cleanup);
        let mut play = Theater::of(2).call(0, &Program::new().set(0, 1).call(call)).observe("x", 0, cell(1)).play();
        to_the_end(&mut play);
        assert_eq!(play.observe("x"), x);
        assert!(bytes_of(&mut play, 0).starts_with(&answer));
        assert_ne!(bytes_of(&mut play, 0), no_reply());
    }
}
