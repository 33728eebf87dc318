//! Corner 10: where cycles are, at every moment.

use canloom::kernel::START_BALANCE;

use super::super::play::Play;
use super::super::puppet::expr::{accept, argument, balance, cell, cycles_available, cycles_refunded};
use super::super::puppet::{Call, Expr, Program, Theater};
use super::super::stage::id;
use super::{to_c1, to_the_end, violated};

/// What a puppet has lost of its first cycles.
fn lost() -> Expr {
    Expr::from(START_BALANCE).minus(balance())
}

/// Balances of these canisters, less what they began with.
fn gains<const N: usize>(play: &Play) -> [i128; N] {
    std::array::from_fn(|canister| play.balance(canister) as i128 - START_BALANCE as i128)
}

/// c0 calls c1, which runs this, with 100 cycles, and says what came back; all to its end.
fn paid(callee: Program) -> (String, [i128; 2]) {
    let call = Call::run(id(1), callee).cycles(100).on_answer(Program::new().say(cycles_refunded()));
    let mut play = Theater::of(3).call(0, &Program::new().call(call)).play();
    to_the_end(&mut play);
    let gains = gains(&play);
    (play.answer(0), gains)
}

#[test]
fn corner_10_attached_cycles_leave_at_once_and_come_back_with_a_call_that_is_not_performed() {
    let begin = Program::new().begin(to_c1().cycles(100).cycles(20)).set(0, lost());
    for (program, cells, gain) in [
        // Not performed.
        (begin.clone().set(1, lost()), "120120", 0),
        // Replaced by another, which is performed.
        (begin.clone().call(to_c1().cycles(5)).set(1, lost()), "120005", -5),
        // Replaced by another, which is not.
        (begin.clone().begin(to_c1().cycles(5)).set(1, lost()), "120005", 0),
        (begin.clone().perform().set(1, lost()), "120120", -120),
    ] {
        let both = cell(0).times(1_000).plus(cell(1));
        let mut play = Theater::of(2).call(0, &program).observe("x", 0, both).play();
        play.steps("0");
        assert_eq!((play.observe("x"), gains(&play)), (cells.to_string(), [gain]));
    }
}

#[test]
fn corner_10_more_cycles_than_there_are_trap() {
    let out = violated(&format!("Canister {} is out of cycles", id(0)));
    let rest = || balance();
    for (call, answer) in [
        (to_c1().cycles(START_BALANCE), "open".to_string()),
        (to_c1().cycles(START_BALANCE + 1), out.clone()),
        (to_c1().cycles(rest()).cycles(1), out.clone()),
        (to_c1().cycles(u128::MAX), out),
    ] {
        let mut play = Theater::of(2).call(0, &Program::new().call(call)).play();
        play.steps("0");
        assert_eq!(play.answer(0), answer);
        assert_eq!(play.balance(0), if answer == "open" { 0 } else { START_BALANCE });
    }
}

#[test]
fn corner_10_accept_takes_what_is_there_and_the_callee_has_it_at_once() {
    let callee = Program::new()
        .set(0, accept(30))
        .set(1, Expr::from(0).minus(lost()))
        .set(2, cycles_available())
        .set(3, accept(u128::MAX))
        .set(4, cycles_available())
        .set(5, accept(1))
        .reply();
    let all = (0..6).fold(Expr::from(0), |all, at| all.times(1_000).plus(cell(at)));
    let call = Call::run(id(1), callee).cycles(100);
    let mut play = Theater::of(2).call(0, &Program::new().call(call).reply()).observe("x", 1, all).play();
    to_the_end(&mut play);
    assert_eq!(play.observe("x"), "30030070070000000");
    assert_eq!(gains(&play), [-100, 100]);
}

#[test]
fn corner_10_what_is_left_can_be_accepted_until_the_message_ends_that_answers() {
    let after = |answer: Program| answer.set(0, cycles_available().plus(accept(50)));
    for callee in [after(Program::new().accept(30).reply()), after(Program::new().accept(30).reject("no"))] {
        let call = Call::run(id(1), callee).cycles(100).on_answer(Program::new().say(cycles_refunded()));
        let mut play = Theater::of(2).call(0, &Program::new().call(call)).observe("x", 1, cell(0)).play();
        to_the_end(&mut play);
        // 70 are available after the answer, and 50 of them are accepted.
        assert_eq!((play.answer(0), play.observe("x"), gains(&play)), ("20".into(), "120".into(), [-80, 80]));
    }
}

#[test]
fn corner_10_early_reply_sends_the_rest_back_before_the_callbacks_run() {
    let later = Program::new().set(0, cycles_available().plus(accept(50)).plus(1)).reply();
    let callee = Program::new().call(Call::run(id(2), Program::new().reply()).on_reply(later)).accept(30).reply();
    let call = Call::run(id(1), callee).cycles(100).on_answer(Program::new().say(cycles_refunded()));
    let mut play = Theater::of(3).call(0, &Program::new().call(call)).observe("x", 1, cell(0)).play();
    play.steps("0 0.1 0.1r");
    assert_eq!((play.answer(0), gains(&play)), ("70".to_string(), [-30, 30]));
    let last = play.steps("0.1.1 0.1.1r").expect("a delivery");
    assert!(last.effects.trap.is_some(), "it replies a second time");
    assert_eq!((play.observe("x"), gains(&play)), ("0".to_string(), [-30, 30]));
}

#[test]
fn corner_10_accept_in_a_callback_that_traps_is_undone() {
    let call = |then: Program| Call::run(id(2), Program::new().reply()).on_reply(then);
    let trap = || Program::new().accept(50).trap("t");
    // Alone: all that the entry did not accept comes back.
    let alone = Program::new().accept(30).call(call(trap()));
    assert_eq!(paid(alone), ("70".to_string(), [-30, 30]));
    // The other callback finds what the first one gave back.
    let other = Program::new().accept(60).reply();
    let both = Program::new().accept(30).call(call(trap())).call(call(other));
    assert_eq!(paid(both), ("10".to_string(), [-90, 90]));
    // A cleanup has nothing to do with it.
    let clean = Program::new().call(call(trap()).on_cleanup(Program::new().set(0, 1)));
    assert_eq!(paid(clean), ("100".to_string(), [0, 0]));
}

#[test]
fn corner_10_rejects_of_the_system_give_all_back() {
    let told = || Program::new().say(cycles_refunded());
    for (callee, method) in [(1, "missing"), (1, "composite"), (7, "run")] {
        let call = Call::to(id(callee), method).cycles(100).on_answer(told());
        let mut play = Theater::of(2).call(0, &Program::new().call(call)).play();
        to_the_end(&mut play);
        assert_eq!((play.answer(0), gains(&play)), ("100".to_string(), [0, 0]), "{callee} {method}");
    }
    let call = Call::run(id(1), Program::new().accept(100).reply()).cycles(100).on_answer(told());
    let theater = Theater::of(2).call(0, &Program::new().call(call)).more("[explore]\nfaults = 1\n").fault(
        0,
        1,
        "\"clean_reject\"",
    );
    let mut play = theater.play();
    play.steps("0");
    assert_eq!(gains(&play), [-100, 0]);
    play.steps("0.1j 0.1r");
    assert_eq!((play.answer(0), gains(&play)), ("100".to_string(), [0, 0]));
}

#[test]
fn corner_10_refund_is_part_of_the_balance_when_the_callback_begins() {
    for callee in [Program::new().accept(30).reply(), Program::new().accept(30).reject("no")] {
        let callback = Program::new().say(lost().times(1_000).plus(cycles_refunded()));
        let call = Call::run(id(1), callee).cycles(100).on_answer(callback);
        let mut play = Theater::of(2).call(0, &Program::new().call(call)).play();
        to_the_end(&mut play);
        assert_eq!(play.answer(0), "30070");
    }
}

#[test]
fn corner_10_accepted_cycles_can_be_passed_on() {
    let last = Program::new().accept(40).reply();
    let told = Program::new().append(argument()).reply();
    let callee = Program::new()
        .ask(accept(60))
        .call(Call::run(id(2), last).cycles(50).on_answer(Program::new().say(cycles_refunded())));
    let call = Call::run(id(1), callee).cycles(100).on_reply(told);
    let mut play = Theater::of(3).call(0, &Program::new().call(call)).play();
    to_the_end(&mut play);
    assert_eq!((play.answer(0), gains(&play)), ("10".to_string(), [-60, 20, 40]));
}

#[test]
fn corner_17_call_that_is_not_sent_keeps_its_cycles_and_its_callback_never_runs() {
    let one = || to_c1().cycles(1).on_answer(Program::new().trap("no callback here"));
    let program =
        Program::new().repeat(500, Program::new().call(one())).call(one().result_in(0)).set(1, lost()).reply();
    let both = cell(0).times(1_000).plus(cell(1));
    let mut play = Theater::of(2).call(0, &program).observe("x", 0, both).play();
    let delivery = play.steps("0").expect("a delivery");
    assert_eq!((delivery.effects.sent.len(), play.observe("x"), gains(&play)), (500, "2500".into(), [-500]));
}
