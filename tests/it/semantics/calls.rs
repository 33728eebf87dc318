//! Corners of calls: cycles, order, queries, rejects, limits, and what a callback sees.

use canloom::kernel::START_BALANCE;

use super::super::play::Play;
use super::super::stage::{Stage, call, id};
use super::{TRAP, answering, counting, error, play, to_c1};

#[test]
fn corner_10_refund_is_credited_before_the_callback_and_kept_if_it_traps() {
    for (callback, refunded) in [("(call $add (i32.wrap_i64 (call $refunded))) (call $reply)", "70"), (TRAP, "0")] {
        let call = to_c1('k', 0, 0);
        let body = format!(
            r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) {callback})
               (func (export "canister_update g") {call} (call $add_cycles (i64.const 100)) (call $send))"#
        );
        let mut play = play(&body, &["g"]);
        play.steps("0");
        assert_eq!((play.balance(0), play.balance(1)), (START_BALANCE - 100, START_BALANCE));
        play.steps("0.1");
        assert_eq!((play.balance(0), play.balance(1)), (START_BALANCE - 100, START_BALANCE + 30));
        play.steps("0.1r");
        assert_eq!((play.balance(0), play.balance(1)), (START_BALANCE - 30, START_BALANCE + 30));
        assert_eq!(play.observe("x"), refunded);
    }
}

/// `c1` is called with 100 cycles and runs this, awaiting c0 where it says so; both balances in the end, less the start.
fn paid(callee: &str) -> (i128, i128, String) {
    let payer = counting(
        r#"(table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (call $number (i32.wrap_i64 (call $refunded))))
           (func (export "canister_update e") (call $reply))
           (func (export "canister_update g")
             (call $to (i32.const 1) (i32.const 'm') (i32.const 0) (i32.const 0)) (call $add_cycles (i64.const 100)) (call $send))"#,
    );
    let stage = Stage::new(&[payer, counting(callee)], &call("g", 0, "g", ""));
    let mut play = Play::new(&stage);
    while let Some(first) = play.possible().split_whitespace().next().map(str::to_string) {
        play.steps(&first);
    }
    let gain = |canister| play.balance(canister) as i128 - START_BALANCE as i128;
    let (a, b) = (gain(0), gain(1));
    (a, b, play.answer(0))
}

#[test]
fn corner_10_accept_is_undone_by_a_trap_and_a_reject_refunds_the_rest() {
    let accept = "(drop (call $accept (i64.const 30)))";
    let update = |body: &str| format!(r#"(func (export "canister_update m") {body})"#);
    assert_eq!(paid(&update(&format!("{accept} (call $reply)"))), (-30, 30, "70".to_string()));
    assert_eq!(paid(&update(&format!("{accept} {TRAP}"))), (0, 0, "100".to_string()));
    let reject = "(call $msg_reject (i32.const 544) (i32.const 3))";
    assert_eq!(paid(&update(&format!("{accept} {reject}"))), (-30, 30, "70".to_string()));
    assert_eq!(paid(&update(accept)), (-30, 30, "70".to_string()));
    assert_eq!(
        paid(&update(&format!("{accept} {accept} {accept} {accept} (call $reply)"))),
        (-100, 100, "0".to_string())
    );
}

#[test]
fn corner_10_accept_in_a_callback_takes_nothing_after_the_message_that_answers() {
    let accept = "(drop (call $accept (i64.const 30)))";
    let callee = |first: &str, then: &str| {
        format!(
            r#"(table 1 funcref) (elem (i32.const 0) $later) (func $later (param i32) {then})
               (func (export "canister_update m") {first}
                 (call $to (i32.const 0) (i32.const 'e') (i32.const 0) (i32.const 0)) (call $send))"#
        )
    };
    assert_eq!(paid(&callee(accept, &format!("{accept} (call $reply)"))), (-60, 60, "40".to_string()));
    assert_eq!(paid(&callee("", &format!("(call $reply) {accept}"))), (-30, 30, "70".to_string()));
    assert_eq!(paid(&callee("(call $reply)", accept)), (0, 0, "100".to_string()));
}

#[test]
fn corner_11_requests_to_one_callee_start_in_call_order() {
    let calls: String = (1..=3).map(|env| format!("{} (call $send)", to_c1('r', 0, env))).collect();
    let body = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32))
           (func (export "canister_update g") {calls})"#
    );
    let mut play = play(&body, &["g"]);
    play.steps("0");
    assert_eq!(play.possible(), "0.1");
    play.steps("0.1");
    assert_eq!(play.possible(), "0.1r 0.2");
    play.steps("0.2 0.3");
    assert_eq!(play.observe("y"), "123");
}

#[test]
fn corner_12_both_orders_of_responses_of_two_callees_are_explored() {
    let mix = |k: u32| format!("(global.set $x (i32.add (i32.mul (global.get $x) (i32.const 10)) (i32.const {k})))");
    let body = format!(
        r#"(table 2 funcref) (elem (i32.const 0) $one $two)
           (func $one (param i32) {}) (func $two (param i32) {} (call $number (global.get $x)))
           (func (export "canister_update g")
             (call $to (i32.const 1) (i32.const 'r') (i32.const 0) (i32.const 0)) (call $send)
             (call $to (i32.const 2) (i32.const 'r') (i32.const 1) (i32.const 0)) (call $send))"#,
        mix(1),
        mix(2)
    );
    let stage = Stage::new(&[counting(&body), answering(), answering()], &call("g", 0, "g", ""));
    let outcomes: Vec<String> = stage.explore().outcomes[&(1, 0)].iter().cloned().collect();
    assert_eq!(outcomes, [" | g = 12", " | g = 2"]);
}

#[test]
fn corner_13_self_call_is_a_message_of_its_own_and_others_may_come_between() {
    let body = r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) (call $number (global.get $x)))
        (func (export "canister_update m") (call $add (i32.const 10)) (call $reply))
        (func (export "canister_update i") (call $add (i32.const 100)) (call $reply))
        (func (export "canister_update g") (call $add (i32.const 1))
          (call $to (i32.const 0) (i32.const 'm') (i32.const 0) (i32.const 0)) (call $send) (call $add (i32.const 1)))"#;
    let mut play = play(body, &["g", "i"]);
    play.steps("0");
    assert_eq!((play.observe("x"), play.possible()), ("2".to_string(), "1 0.1".to_string()));
    play.steps("1");
    assert_eq!(play.observe("x"), "102");
    play.steps("0.1 0.1r");
    assert_eq!(play.answer(0), "112");
}

#[test]
fn corner_14_query_called_by_an_update_keeps_no_writes_but_its_cycles() {
    let call = to_c1('q', 0, 0);
    let body = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (call $arg_copy (i32.const 3000) (i32.const 7) (i32.const 4)) (call $number (i32.load (i32.const 3000))))
           (func (export "canister_update g") {call} (call $add_cycles (i64.const 100)) (call $send))"#
    );
    let mut play = play(&body, &["g"]);
    play.steps("0 0.1 0.1r");
    assert_eq!((play.answer(0), play.observe("y")), ("7".to_string(), "0".to_string()));
    assert_eq!((play.balance(0), play.balance(1)), (START_BALANCE - 30, START_BALANCE + 30));
}

/// What `c0` sees of a call of this method of this principal, in its reject callback.
fn reject_of(callee: &str, method: char) -> String {
    let body = format!(
        r#"(data (i32.const 4000) "{callee}")
           (table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (local i32)
             (local.set 1 (call $reject_size))
             (call $reject_copy (i32.const 3001) (i32.const 0) (local.get 1))
             (i32.store8 (i32.const 3000) (i32.add (i32.const 48) (call $reject_code)))
             (call $msg_reject (i32.const 3000) (i32.add (local.get 1) (i32.const 1))))
           (func (export "canister_update g")
             (call $call_new (i32.const 4000) (i32.const {}) (i32.sub (i32.const '{method}') (i32.const -447)) (i32.const 1)
               (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)) (call $send))"#,
        callee.len() / 3,
    );
    let mut play = play(&body, &["g"]);
    play.steps("0");
    if play.possible() == "0.1" {
        play.steps("0.1");
    }
    play.steps("0.1r");
    play.answer(0)
}

fn escaped(canister: usize) -> String {
    id(canister).as_slice().iter().map(|byte| format!("\\{byte:02x}")).collect()
}

#[test]
fn corner_14_query_called_by_an_update_cannot_call() {
    let text = "Canister violated contract: \"ic0_call_new\" cannot be executed in replicated query mode";
    let expected = format!("reject 4: 5IC0504: Error from Canister {}: {text}", id(1));
    assert_eq!(reject_of(&escaped(1), 'p'), expected);
}

#[test]
fn corner_15_composite_query_unknown_method_and_unknown_canister_are_rejected() {
    let composite = reject_of(&escaped(1), 'o');
    assert!(composite.starts_with("reject 4: 5IC0527: "), "{composite}");
    assert!(composite.ends_with("Composite query cannot be called in replicated mode"), "{composite}");
    let unknown = reject_of(&escaped(1), 'z');
    assert!(unknown.starts_with("reject 4: 5IC0536: "), "{unknown}");
    assert!(unknown.ends_with("has no update method 'z'"), "{unknown}");
    assert_eq!(reject_of(&escaped(6), 'r'), format!("reject 4: 3No route to canister {}", id(6)));
}

#[test]
fn corner_16_any_table_index_is_accepted_and_fails_when_the_response_arrives() {
    let call = to_c1('r', 77, 0);
    for (cleanup, x) in [("", "1"), ("(call $on_cleanup (i32.const 0) (i32.const 0))", "101")] {
        let body = format!(
            r#"(table 1 funcref) (elem (i32.const 0) $clean) (func $clean (param i32) (call $add (i32.const 100)))
               (func (export "canister_update g") (call $add (i32.const 1)) {call} {cleanup} (call $send))"#
        );
        let mut play = play(&body, &["g"]);
        play.steps("0 0.1");
        assert_eq!((play.answer(0), play.observe("y")), ("open".to_string(), "0".to_string()));
        play.steps("0.1r");
        let answer = play.answer(0);
        assert!(answer.starts_with(&error(513, "")), "{answer}");
        assert_eq!(play.observe("x"), x);
    }
}

#[test]
fn corner_17_call_perform_refuses_the_501st_open_call_to_one_callee() {
    let one = to_c1('r', 0, 0);
    let body = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32))
           (func (export "canister_update g") (local i32)
             (loop $more
               {one}
               (if (i32.eqz (call $perform)) (then (call $add (i32.const 1)))
                 (else (global.set $x (i32.add (global.get $x) (i32.const 1000)))))
               (br_if $more (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 502)))))
           (func (export "canister_update h") {one} (call $number (call $perform)))"#
    );
    let mut play = play(&body, &["g", "h"]);
    let delivery = play.steps("0").expect("a delivery");
    assert_eq!((delivery.effects.sent.len(), play.observe("x")), (500, "2500".to_string()));
    play.steps("1");
    assert_eq!((play.answer(1), play.possible()), ("2".to_string(), "0.1".to_string()));
    let mut later = play;
    later.rewind();
    later.steps("0 0.1 0.1r 1");
    assert_eq!(later.answer(1), "0", "one place is free again");
}

#[test]
fn corner_23_callbacks_see_the_caller_of_their_context_and_reject_code_0_with_a_reply() {
    let body = format!(
        r#"(table 2 funcref) (elem (i32.const 0) $done $message)
           (func $done (param i32)
             (call $caller_copy (i32.const 3000) (i32.const 0) (call $caller_size))
             (i32.store8 (i32.const 2999) (i32.add (i32.const 65) (call $reject_code)))
             (call $add (call $caller_size))
             (if (i32.ne (i32.load (i32.const 3000)) (i32.load (i32.const 5000))) (then (unreachable)))
             (call $msg_reject (i32.const 2999) (i32.const 1)))
           (func $message (param i32) (drop (call $reject_size)))
           (func (export "canister_update g")
             (call $caller_copy (i32.const 5000) (i32.const 0) (call $caller_size)) {} (call $send))
           (func (export "canister_update m") {} (call $send))"#,
        to_c1('r', 0, 0),
        to_c1('r', 1, 0)
    );
    let mut play = play(&body, &["g", "m"]);
    play.steps("0 0.1 0.1r 1 1.1 1.1r");
    assert_eq!(play.answer(0), "reject 4: A", "code 0, and the caller is alice");
    let alice = play.engine.scenario.actors[0].id;
    assert_eq!(play.observe("x"), alice.as_slice().len().to_string());
    let text = "Canister violated contract: \"ic0_msg_reject_msg_size\" cannot be executed in reply callback mode";
    assert_eq!(play.answer(1), error(504, text));
}
