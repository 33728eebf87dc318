//! The embedded engine against the corners of ic-semantics.md, section 12: real wasm, one execution step by step.
//!
//! Test names bear the number of the corner. `c0` is what a test is about; `c1` answers as its method's letter says.

use canloom::kernel::START_BALANCE;

use super::play::Play;
use super::stage::{Stage, call, id, observe};
use super::wat_canister::canister;

/// A canister with number x (`$add` adds to it, the query `x` shows it) and this body.
fn counting(body: &str) -> String {
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
        (TRAP, "1", "\n\ncall_on_cleanup also failed:\n\nIC0503: "),
        ("(call $reply)", "1", "\n\ncall_on_cleanup also failed:\n\nIC0504: "),
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
fn corner_10_accept_in_a_callback_is_possible_before_the_reply_and_takes_nothing_after() {
    let accept = "(drop (call $accept (i64.const 30)))";
    let callee = |first: &str, then: &str| {
        format!(
            r#"(table 1 funcref) (elem (i32.const 0) $later) (func $later (param i32) {then})
               (func (export "canister_update m") {first}
                 (call $to (i32.const 0) (i32.const 'e') (i32.const 0) (i32.const 0)) (call $send))"#
        )
    };
    assert_eq!(paid(&callee(accept, &format!("{accept} (call $reply)"))), (-60, 60, "40".to_string()));
    assert_eq!(paid(&callee("", &format!("(call $reply) {accept}"))), (0, 0, "100".to_string()));
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

#[test]
fn trap_rolls_back_heap_globals_and_stable_memory() {
    let body = format!(
        r#"(func (export "canister_init") (call $stable_grow (i32.const 1)))
           (func $sum (result i32)
             (i32.add (global.get $x) (i32.add (i32.load (i32.const 60000)) (call $stable_load (i32.const 8)))))
           (func $write
             (call $add (i32.const 1)) (i32.store (i32.const 60000) (i32.add (i32.load (i32.const 60000)) (i32.const 10)))
             (call $stable_store (i32.const 8) (i32.add (call $stable_load (i32.const 8)) (i32.const 100))))
           (func (export "canister_update w") (call $write) (call $number (call $sum)))
           (func (export "canister_update t") (call $write) (call $stable_grow (i32.const 1)) {TRAP})
           (func (export "canister_query s") (call $write) (call $number (call $sum)))"#
    );
    let mut play = play(&body, &["w", "t", "w", "s", "w"]);
    play.steps("0 1");
    assert_eq!((play.answer(0), play.answer(1)), ("111".to_string(), trapped()));
    play.steps("2");
    assert_eq!(play.answer(2), "222");
    play.steps("3");
    assert_eq!(play.answer(3), "333", "a query sees its own writes");
    play.steps("4");
    assert_eq!(play.answer(4), "333", "and nobody else does");
}

#[test]
fn writes_of_an_observing_query_are_dropped() {
    let body = r#"(func (export "canister_query z") (call $add (i32.const 1)) (call $number (global.get $x)))
                  (func (export "canister_update g") (call $add (i32.const 10)) (call $reply))"#;
    let calls = call("g", 0, "g", "") + &observe(0, "z") + &observe(0, "x");
    let mut play = Play::new(&Stage::new(&[counting(body)], &calls));
    assert_eq!((play.observe("z"), play.observe("z"), play.observe("x")), ("1".into(), "1".into(), "0".to_string()));
    play.steps("0");
    assert_eq!((play.observe("z"), play.observe("x")), ("11".to_string(), "10".to_string()));
}

#[test]
fn changes_of_tables_do_not_outlive_a_message_and_globals_do() {
    let body = r#"(type $f (func (result i32)))
        (table 2 funcref) (elem (i32.const 0) $one $two)
        (func $one (result i32) (i32.const 1)) (func $two (result i32) (i32.const 2))
        (func (export "canister_update g") (call $add (i32.const 1))
          (table.set (i32.const 0) (table.get (i32.const 1)))
          (call $number (call_indirect (type $f) (i32.const 0))))
        (func (export "canister_update r") (call $number (call_indirect (type $f) (i32.const 0))))"#;
    let mut play = play(body, &["g", "r"]);
    play.steps("0 1");
    assert_eq!((play.answer(0), play.answer(1), play.observe("x")), ("2".into(), "1".into(), "1".to_string()));
}

#[test]
fn dropped_data_segments_are_there_again_in_the_next_message() {
    let body = r#"(data $d "\05\00\00\00")
        (func (export "canister_update g")
          (memory.init $d (i32.const 3000) (i32.const 0) (i32.const 4)) (data.drop $d)
          (call $add (i32.load (i32.const 3000))) (call $number (global.get $x)))"#;
    let mut play = play(body, &["g", "g"]);
    play.steps("0 1");
    assert_eq!((play.answer(0), play.answer(1)), ("5".to_string(), "10".to_string()));
}

#[test]
fn memory_grows_and_a_trap_takes_it_back() {
    let body = format!(
        r#"(func $grow (drop (memory.grow (i32.const 1))) (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4)) (memory.size)))
           (func $show (call $number (i32.add (i32.mul (memory.size) (i32.const 100))
             (i32.load (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4))))))
           (func (export "canister_update g") (call $grow) (call $show))
           (func (export "canister_update t") (call $grow) {TRAP})
           (func (export "canister_update r") (call $show))"#
    );
    let mut play = play(&body, &["g", "t", "r", "g", "r"]);
    play.steps("0 1 2 3 4");
    assert_eq!(
        [0, 1, 2, 3, 4].map(|call| play.answer(call)),
        ["202".into(), trapped(), "202".into(), "303".into(), "303".to_string()]
    );
    play.rewind();
    play.steps("2");
    assert_eq!(play.answer(2), "100", "an earlier world has its own, smaller heap");
}

#[test]
fn message_that_exceeds_its_limit_of_instructions_traps() {
    // A query method called as an update may execute 5e9 instructions; an update eight times as many.
    let body = r#"(func (export "canister_query l") (call $add (i32.const 1)) (loop $ever (br $ever)))"#;
    let mut play = play(body, &["l"]);
    let delivery = play.steps("0").expect("a delivery");
    let text = "Canister exceeded the limit of 5000000000 instructions for single message execution.";
    assert_eq!((play.answer(0), play.observe("x")), (error(522, text), "0".to_string()));
    let burned = delivery.effects.instructions;
    assert!((5_000_000_000..5_100_000_000).contains(&burned), "{burned}");
}

#[test]
fn other_traps_of_wasm_have_code_502_and_their_text() {
    for (body, text) in [
        ("(unreachable)", "unreachable"),
        (
            "(drop (i32.div_u (i32.const 1) (call $arg_size)))  (drop (i32.div_u (i32.const 1) (i32.const 0)))",
            "integer division by 0",
        ),
        ("(drop (i32.load (i32.const 65536)))", "heap out of bounds"),
        ("(call $deep)", "stack overflow"),
    ] {
        let body = format!(
            r#"(func $deep (call $deep) (call $add (i32.const 1))) (func (export "canister_update g") {body})"#
        );
        let mut play = play(&body, &["g"]);
        play.steps("0");
        assert_eq!(play.answer(0), error(502, &format!("Canister trapped: {text}")));
    }
}

#[test]
fn module_with_a_64_bit_memory_runs() {
    let wide = r#"(module
        (import "ic0" "msg_reply_data_append" (func $append (param i64 i64)))
        (import "ic0" "msg_reply" (func $msg_reply))
        (memory i64 1)
        (data (i64.const 0) "DIDL\00\01\79")
        (func (export "canister_update g")
          (i32.store (i64.const 7) (i32.add (i32.load (i64.const 7)) (i32.const 1)))
          (call $append (i64.const 0) (i64.const 11)) (call $msg_reply)))"#;
    let calls = call("one", 0, "g", "") + &call("two", 0, "g", "");
    let mut play = Play::new(&Stage::new(&[wide.to_string()], &calls));
    play.steps("0 1");
    assert_eq!((play.answer(0), play.answer(1)), ("1".to_string(), "2".to_string()));
}
