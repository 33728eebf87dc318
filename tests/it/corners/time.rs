//! Corners 25 and 27: what every message finds the same: its instance, and the time.

use super::super::play::Play;
use super::super::puppet::expr::{cell, time};
use super::super::puppet::{Call, Expr, Program, Theater};
use super::super::stage::{Stage, call, id};
use super::super::wat_canister::canister;
use super::{to_the_end, trapped};

#[test]
fn corner_27_time_is_the_same_from_the_beginning_of_an_execution_to_its_end() {
    let twice =
        || Program::new().set(0, time()).burn(10_000_000).when(time().equals(cell(0)), Program::new().set(1, 1));
    let program = twice().call(Call::run(id(1), twice().say(cell(1))).on_reply(twice().say(cell(1))));
    let mut play = Theater::of(2).call(0, &program).observe("x", 0, cell(1)).observe("y", 1, cell(1)).play();
    to_the_end(&mut play);
    assert_eq!((play.answer(0), play.observe("x"), play.observe("y")), ("1".into(), "1".into(), "1".to_string()));
}

#[test]
fn corner_27_time_never_goes_back_from_one_message_to_the_next() {
    // Each message adds 1 to cell 1 if its time is not before that of the last one.
    let look = || Program::new().when(time().less_than(cell(0)).equals_zero(), Program::new().add(1, 1)).set(0, time());
    let callback = look().say(cell(1));
    let program = look().call(Call::run(id(0), look().reply()).on_reply(callback));
    let mut play = Theater::of(1).call(0, &program).call(0, &look().reply()).play();
    play.steps("0 1 0.1 0.1r");
    assert_eq!(play.answer(0), "4");
}

#[test]
fn corner_25_trap_deep_in_the_stack_leaves_no_trace_in_the_globals() {
    // 31 programs inside each other, then a trap. The stack of 64 KiB would not bear 60 of them.
    let deep = (0..30).fold(Program::new().trap("deep"), |inner, _| Program::new().run(Expr::from(inner)));
    let theater = (0..60).fold(Theater::of(1), |theater, _| theater.call(0, &deep));
    let mut play = theater.call(0, &Program::new().say(7)).play();
    for call in 0..60 {
        play.steps(&call.to_string());
        assert_eq!(play.answer(call), trapped("deep"), "{call}");
    }
    play.steps("60");
    assert_eq!(play.answer(60), "7");
}

#[test]
fn corner_25_start_function_runs_once_and_before_the_installation() {
    let body = r#"(global $x (mut i32) (i32.const 1))
        (func $mul (param i32) (global.set $x (i32.mul (global.get $x) (local.get 0))))
        (func $start (call $mul (i32.const 3)) (global.set $x (i32.add (global.get $x) (i32.const 1))))
        (start $start)
        (func (export "canister_init") (call $mul (i32.const 10)))
        (func (export "canister_update g") (call $mul (i32.const 2)) (call $number (global.get $x)))"#;
    let mut play = Play::new(&Stage::new(&[canister(body)], &(call("one", 0, "g", "") + &call("two", 0, "g", ""))));
    play.steps("0 1");
    assert_eq!((play.answer(0), play.answer(1)), ("80".to_string(), "160".to_string()));
}
