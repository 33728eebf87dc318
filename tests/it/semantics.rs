//! The embedded engine against the corners in docs/semantics.md: real wasm, one execution step by step.
//!
//! Test names bear the number of the corner. `c0` is what a test is about; `c1` answers as its method's letter says.

mod calls;
mod composite;
mod faults;
pub mod joins;
mod lifecycle;
pub mod management;
mod settings;
mod state;
mod tasks;

use super::play::Play;
use super::stage::{Stage, call, id, observe};
use super::wat_canister::canister;

/// A canister with number x (`$add` adds to it, the query `x` shows it) and this body.
pub fn counting(body: &str) -> String {
    canister(&format!(
        r#"(global $x (mut i32) (i32.const 0))
           (func $add (param i32) (global.set $x (i32.add (global.get $x) (local.get 0))))
           (func $say_abc (call $append (i32.const 544) (i32.const 3)))
           (func (export "canister_query x") (call $number (global.get $x)))
           {body}"#
    ))
}

/// `r` replies, `j` rejects, `n` does neither, `t` traps, `k` accepts 30 cycles and replies; each adds to `y` first.
fn answering() -> String {
    canister(
        r#"(global $y (mut i32) (i32.const 0))
           (func $add (param i32) (global.set $y (i32.add (i32.mul (global.get $y) (i32.const 10)) (local.get 0))))
           (func (export "canister_update r") (call $add (call $arg)) (call $number (i32.const 5)))
           (func (export "canister_update j") (call $add (i32.const 2)) (call $msg_reject (i32.const 544) (i32.const 3)))
           (func (export "canister_update n") (call $add (i32.const 3)))
           (func (export "canister_update t") (call $add (i32.const 4)) (call $trap (i32.const 544) (i32.const 3)))
           (func (export "canister_update k") (drop (call $accept (i64.const 30))) (call $reply))
           (func (export "canister_query q") (call $add (i32.const 7)) (drop (call $accept (i64.const 30))) (call $number (global.get $y)))
           (func (export "canister_query p") (call $add (i32.const 7))
             (call $call_new (i32.const 32) (i32.const 10) (i32.const 544) (i32.const 1)
               (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
           (func (export "canister_composite_query o") (call $reply))
           (func (export "canister_query y") (call $number (global.get $y)))"#,
    )
}

/// Calls of these methods of `c0`, which has this body; `c1` answers.
fn play(body: &str, methods: &[&str]) -> Play {
    let calls: String =
        methods.iter().enumerate().map(|(at, method)| call(&format!("call{at}"), 0, method, "")).collect();
    let rest = format!("{calls}{}{}", observe(0, "x"), observe(1, "y"));
    Play::new(&Stage::new(&[counting(body), answering()], &rest))
}

/// Text of an error of `c0`, as an ingress caller gets it.
fn error(code: u16, text: &str) -> String {
    format!("reject {}: IC0{code}: Error from Canister {}: {text}", code / 100, id(0))
}

/// Text of a trap of `c0` by `ic0.trap` with `abc`.
fn trapped() -> String {
    error(503, "Canister called `ic0.trap` with message: 'abc'")
}

const TRAP: &str = "(call $trap (i32.const 544) (i32.const 3))";

/// Begins a call of this method of c1 with callback `callback`, argument `env`.
fn to_c1(method: char, callback: u32, env: u32) -> String {
    format!("(call $to (i32.const 1) (i32.const '{method}') (i32.const {callback}) (i32.const {env}))")
}

#[test]
fn corner_1_update_that_traps_leaves_no_state_and_sends_no_call() {
    let call = to_c1('r', 0, 0);
    let body = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) (call $reply))
           (func (export "canister_update g") (call $add (i32.const 1)) {call} (call $send) {TRAP})"#
    );
    let mut play = play(&body, &["g"]);
    let delivery = play.steps("0").expect("a delivery");
    assert!(delivery.effects.sent.is_empty() && !delivery.awaits);
    assert_eq!((play.observe("x"), play.possible()), ("0".to_string(), String::new()));
    assert_eq!(play.answer(0), trapped());
}

#[test]
fn corner_2_reply_and_then_trap_in_one_execution_has_not_replied() {
    let mut play =
        play(&format!(r#"(func (export "canister_update g") (call $add (i32.const 1)) (call $reply) {TRAP})"#), &["g"]);
    play.steps("0");
    assert_eq!((play.answer(0), play.observe("x")), (trapped(), "0".to_string()));
}

#[test]
fn corner_3_no_reply_and_no_calls_keeps_the_state_and_rejects() {
    let call = to_c1('n', 0, 0);
    let body = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (local i32)
             (local.set 1 (call $reject_size))
             (call $reject_copy (i32.const 3000) (i32.const 0) (local.get 1))
             (call $msg_reject (i32.const 3000) (local.get 1)))
           (func (export "canister_update n") (call $add (i32.const 1)))
           (func (export "canister_update g") {call} (call $send))"#
    );
    let mut play = play(&body, &["n", "g"]);
    play.steps("0");
    assert_eq!(play.answer(0), format!("reject 5: IC0506: Canister {} did not reply to the call", id(0)));
    assert_eq!(play.observe("x"), "1");
    play.steps("1 1.1 1.1r");
    assert_eq!(play.answer(1), "reject 4: No response");
    assert_eq!(play.observe("y"), "3");
}

#[test]
fn corner_4_second_reply_traps_and_in_a_later_callback_the_first_stands() {
    let already = error(504, "Canister violated contract: ic0.msg_reply: the call is already replied");
    let call = to_c1('r', 0, 0);
    let body = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (call $add (i32.const 10)) (call $msg_reply))
           (func (export "canister_update d") (call $add (i32.const 1)) (call $msg_reply) (call $msg_reply))
           (func (export "canister_update g") (call $add (i32.const 1)) {call} (call $send) (call $number (i32.const 8)))"#
    );
    let mut play = play(&body, &["d", "g"]);
    play.steps("0");
    assert_eq!((play.answer(0), play.observe("x")), (already, "0".to_string()));
    play.steps("1 1.1");
    assert_eq!(play.answer(1), "8");
    let callback = play.steps("1.1r").expect("a delivery");
    assert_eq!(callback.effects.trap.as_ref().map(|trap| trap.code), Some(504));
    assert_eq!((play.answer(1), play.observe("x")), ("8".to_string(), "1".to_string()));
    assert!(play.is_quiet());
}

#[test]
fn corner_5_what_was_appended_before_the_await_is_not_sent() {
    let call = to_c1('r', 0, 0);
    let body = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (call $number (i32.const 9)))
           (func (export "canister_update g") (call $say_abc) {call} (call $send))"#
    );
    let mut play = play(&body, &["g"]);
    play.steps("0 0.1 0.1r");
    assert_eq!(play.answer(0), "9");
}

#[test]
fn corner_6_callback_that_traps_is_undone_and_its_cleanup_is_kept() {
    let call = to_c1('r', 0, 0);
    for (cleanup, x, also) in [
        ("", "101", ""),
        (TRAP, "1", "\n\ncall_on_cleanup also failed:\n\nCanister called "),
        ("(call $reply)", "1", "\n\ncall_on_cleanup also failed:\n\nCanister violated "),
    ] {
        let body = format!(
            r#"(table 2 funcref) (elem (i32.const 0) $done $clean)
               (func $done (param i32) (call $add (i32.const 10)) {TRAP})
               (func $clean (param i32) (call $add (i32.const 100)) {cleanup})
               (func (export "canister_update g") (call $add (i32.const 1)) {call}
                 (call $on_cleanup (i32.const 1) (i32.const 0)) (call $send))"#
        );
        let mut play = play(&body, &["g"]);
        play.steps("0 0.1 0.1r");
        assert_eq!(play.observe("x"), x, "{cleanup}");
        let answer = play.answer(0);
        assert!(answer.starts_with(&format!("{}{also}", trapped())), "{cleanup}: {answer}");
        assert_eq!(answer == trapped(), also.is_empty(), "{cleanup}: {answer}");
    }
}

#[test]
fn corner_7_cleanup_cannot_call_reply_accept_or_read_arguments() {
    let call = to_c1('r', 0, 0);
    for (cleanup, name) in [
        (call.as_str(), "call_new"),
        ("(call $msg_reply)", "msg_reply"),
        ("(call $msg_reject (i32.const 0) (i32.const 0))", "msg_reject"),
        ("(drop (call $accept (i64.const 1)))", "msg_cycles_accept"),
        ("(drop (call $arg_size))", "msg_arg_data_size"),
    ] {
        let body = format!(
            r#"(table 2 funcref) (elem (i32.const 0) $done $clean)
               (func $done (param i32) {TRAP})
               (func $clean (param i32) {cleanup})
               (func (export "canister_update g") {call} (call $on_cleanup (i32.const 1) (i32.const 0)) (call $send))"#
        );
        let mut play = play(&body, &["g"]);
        let delivery = play.steps("0 0.1 0.1r").expect("a delivery");
        let trap = delivery.cleanup.expect("it ran").trap.clone().expect("it trapped");
        let text = format!("Canister violated contract: \"ic0_{name}\" cannot be executed in cleanup mode");
        assert_eq!((trap.code, trap.text), (504, text));
    }
}

#[test]
fn corner_8_of_two_open_callbacks_a_reply_wins_and_else_the_last_decides() {
    let calls = format!("{} (call $send) {} (call $send)", to_c1('r', 0, 1), to_c1('r', 1, 2));
    let no_reply = format!("reject 5: IC0506: Canister {} did not reply to the call", id(0));
    let cases = [
        // First callback, second callback, answer.
        (TRAP, "(call $number (i32.const 6))", "6".to_string()),
        ("(call $number (i32.const 6))", TRAP, "6".to_string()),
        (TRAP, "", no_reply.clone()),
        ("", TRAP, trapped()),
        ("(unreachable)", TRAP, trapped()),
        (TRAP, "(unreachable)", error(502, "Canister trapped: unreachable")),
        ("", "", no_reply),
    ];
    for (first, second, answer) in cases {
        let body = format!(
            r#"(table 2 funcref) (elem (i32.const 0) $first $second)
               (func $first (param i32) (call $add (i32.const 1)) {first})
               (func $second (param i32) (call $add (i32.const 10)) {second})
               (func (export "canister_update g") {calls})"#
        );
        let mut play = play(&body, &["g"]);
        play.steps("0 0.1 0.2 0.1r 0.2r");
        assert_eq!(play.answer(0), answer, "{first} | {second}");
        let x = u32::from(!first.contains("trap") && !first.contains("unreach"))
            + 10 * u32::from(!second.contains("trap") && !second.contains("unreach"));
        assert_eq!(play.observe("x"), x.to_string(), "{first} | {second}");
    }
}

#[test]
fn corner_9_early_reply_answers_at_once_and_the_callbacks_still_run() {
    let call = to_c1('r', 0, 0);
    let body = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (call $add (i32.const 10)))
           (func (export "canister_update g") (call $add (i32.const 1)) {call} (call $send) (call $number (i32.const 8)))"#
    );
    let mut play = play(&body, &["g"]);
    play.steps("0");
    assert_eq!((play.answer(0), play.is_quiet()), ("8".to_string(), false));
    play.steps("0.1");
    assert!(!play.is_quiet());
    play.steps("0.1r");
    assert_eq!((play.answer(0), play.is_quiet(), play.observe("x")), ("8".to_string(), true, "11".to_string()));
}
