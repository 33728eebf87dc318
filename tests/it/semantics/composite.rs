//! Composite queries, which can be observed: queries that call queries of other canisters.

use super::super::play::Play;
use super::super::stage::{Stage, call, observe};
use super::super::wat_canister::canister;
use super::{TRAP, counting};

/// `both` asks c1 for its number twice, doing this with each answer; `x` is c0's own number.
fn asking(callback: &str) -> String {
    counting(&format!(
        r#"(table 2 funcref) (elem (i32.const 0) $done $clean)
           (global $open (mut i32) (i32.const 0))
           (func $ask (call $to (i32.const 1) (i32.const 'n') (i32.const 0) (i32.const 0))
             (call $on_cleanup (i32.const 1) (i32.const 0)) (call $send)
             (global.set $open (i32.add (global.get $open) (i32.const 1))))
           (func $done (param i32)
             (global.set $open (i32.sub (global.get $open) (i32.const 1)))
             {callback}
             (if (i32.eqz (global.get $open)) (then (call $number (global.get $x)))))
           (func $clean (param i32)
             (call $add (i32.const 1000)) (global.set $open (i32.sub (global.get $open) (i32.const 1))))
           (func (export "canister_composite_query both") (call $ask) (call $ask))
           (func (export "canister_update g") (call $add (i32.const 1)) (call $reply))"#
    ))
}

fn numbers() -> String {
    canister(
        r#"(global $n (mut i32) (i32.const 20))
           (func (export "canister_query n") (global.set $n (i32.add (global.get $n) (i32.const 1))) (call $number (global.get $n)))
           (func (export "canister_update s") (global.set $n (i32.const 40)) (call $reply))"#,
    )
}

fn play(callback: &str) -> Play {
    let rest = call("g", 0, "g", "") + &call("s", 1, "s", "") + &observe(0, "both") + &observe(0, "x");
    Play::new(&Stage::new(&[asking(callback), numbers()], &rest))
}

#[test]
fn composite_query_keeps_its_state_between_its_callbacks_and_nobody_keeps_any_after_it() {
    let mut play = play("(call $add (call $arg))");
    assert_eq!(play.observe("both"), "42", "twice 21: the callee's own write is dropped each time");
    assert_eq!(play.observe("x"), "0");
    play.steps("0 1");
    assert_eq!(play.observe("both"), "83", "1 and twice 41: it reads the world it is asked in");
    assert_eq!((play.observe("x"), play.possible()), ("1".into(), String::new()));
}

#[test]
fn callback_of_a_composite_query_that_traps_runs_its_cleanup() {
    let mut play = play(&format!("(if (i32.eqz (global.get $x)) (then {TRAP}))"));
    // The first callback traps; its cleanup adds 1000; the second one replies.
    assert_eq!(play.observe("both"), "1000");
}

#[test]
fn composite_query_cannot_pay_and_is_rejected_where_there_is_nobody() {
    let body = counting(
        r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) (call $number (call $reject_code)))
           (func (export "canister_composite_query pays")
             (call $to (i32.const 1) (i32.const 'n') (i32.const 0) (i32.const 0)) (call $add_cycles (i64.const 1)))
           (func (export "canister_composite_query lost")
             (call $to (i32.const 5) (i32.const 'n') (i32.const 0) (i32.const 0)) (call $send))
           (func (export "canister_composite_query silent"))"#,
    );
    let observed = ["pays", "lost", "silent"].map(|name| observe(0, name)).concat();
    let mut play = Play::new(&Stage::new(&[body, numbers()], &(call("s", 1, "s", "") + &observed)));
    let pays = play.observe("pays");
    assert!(pays.contains("\"ic0_call_cycles_add\" cannot be executed in composite query mode"), "{pays}");
    assert_eq!(play.observe("lost"), "3");
    assert!(play.observe("silent").contains("IC0506"), "{}", play.observe("silent"));
}
