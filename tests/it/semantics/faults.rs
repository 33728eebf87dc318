//! Faults at every place: what each does to the call, to its cycles, and to the canisters.

use canloom::kernel::START_BALANCE;

use super::super::play::Play;
use super::super::stage::{Stage, call, counts, fault, observe};
use super::{answering, counting};

/// `g` awaits `k` of c1 with 100 cycles, which accepts 30; x is 1000 times the reject code, plus the cycles that came back.
fn payer() -> String {
    counting(
        r#"(table 2 funcref) (elem (i32.const 0) $done $clean)
           (func $done (param i32)
             (call $add (i32.mul (call $reject_code) (i32.const 1000)))
             (call $add (i32.wrap_i64 (call $refunded))) (call $reply))
           (func $clean (param i32) (call $add (i32.const 5)))
           (func (export "canister_update g")
             (call $to (i32.const 1) (i32.const 'k') (i32.const 0) (i32.const 0)) (call $add_cycles (i64.const 100))
             (call $on_cleanup (i32.const 1) (i32.const 0))
             (if (call $perform) (then (call $add (i32.const 7)) (call $reply))))"#,
    )
}

fn play(faults: &str) -> Play {
    Play::new(&stage(faults))
}

fn stage(faults: &str) -> Stage {
    let rest = call("g", 0, "g", "") + &observe(0, "x") + &observe(1, "y") + faults;
    Stage::new(&[payer(), answering()], &rest)
}

#[test]
fn each_reject_before_the_start_has_its_code_and_gives_all_cycles_back() {
    let kinds = "\"clean_reject\", \"clean_reject_1\", \"clean_reject_3\", \"canister_error\"";
    for (step, x) in [("0.1j", "2100"), ("0.1j1", "1100"), ("0.1j3", "3100"), ("0.1j5", "5100")] {
        let mut play = play(&fault("k", kinds));
        assert_eq!(
            {
                play.steps("0");
                play.possible()
            },
            "0.1 0.1j1 0.1j 0.1j3 0.1j5"
        );
        play.steps(&format!("{step} 0.1r"));
        assert_eq!((play.observe("x"), play.balance(0), play.balance(1)), (x.into(), START_BALANCE, START_BALANCE));
        assert_eq!(play.possible(), "");
    }
}

#[test]
fn business_error_and_lie_are_replies_of_a_callee_that_did_nothing() {
    let faults = fault("k", "\"business_err\", \"lie\"")
        + "business_err = \"(variant { Err = \\\"no\\\" })\"\nlie = \"(7 : nat32)\"\n";
    for step in ["0.1b", "0.1l"] {
        let mut play = play(&faults);
        play.steps("0");
        assert_eq!(play.possible(), "0.1 0.1b 0.1l");
        play.steps(&format!("{step} 0.1r"));
        assert_eq!(
            (play.observe("x"), play.balance(1)),
            ("100".into(), START_BALANCE),
            "a reply, and nothing accepted"
        );
    }
}

#[test]
fn call_that_cannot_be_performed_is_no_await_point_and_keeps_its_cycles() {
    let stage = stage(&fault("k", "\"perform_failed\""));
    let mut play = Play::new(&stage);
    assert_eq!(play.possible(), "0 0p1");
    play.steps("0p1");
    assert_eq!((play.observe("x"), play.answer(0), play.balance(0)), ("7".into(), "null".into(), START_BALANCE));
    assert!(play.is_quiet());
    assert_eq!(counts(&stage.explore()), (2, 1));
}

#[test]
fn only_the_call_of_the_edge_can_fail_to_be_performed() {
    let body = counting(
        r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32))
           (func $ask (param i32) (call $to (i32.const 1) (local.get 0) (i32.const 0) (i32.const 1))
             (if (call $perform) (then (call $add (local.get 0)))))
           (func (export "canister_update g") (call $ask (i32.const 'r')) (call $ask (i32.const 'n')) (call $ask (i32.const 'r')) (call $reply))"#,
    );
    let rest = call("g", 0, "g", "") + &observe(0, "x") + &fault("r", "\"perform_failed\"");
    let mut play = Play::new(&Stage::new(&[body, answering()], &rest));
    assert_eq!(play.possible(), "0 0p1 0p3");
    play.steps("0p3");
    assert_eq!(play.observe("x"), u32::from(b'r').to_string());
    assert_eq!(play.possible(), "0.1", "the two others were sent, in their order");
}

#[test]
fn trap_in_a_callback_undoes_it_and_runs_its_cleanup() {
    let faults = "[[fault]]\nat = \"c0.callback\"\nkinds = [\"trap\"]\nbudget = 1\n";
    let mut play = play(faults);
    play.steps("0 0.1");
    assert_eq!(play.possible(), "0.1r 0.1rt");
    play.steps("0.1rt");
    assert_eq!((play.observe("x"), play.balance(0)), ("5".into(), START_BALANCE - 30), "the refund is kept");
    assert!(play.answer(0).starts_with("reject 5: IC0503: "), "{}", play.answer(0));
    assert_eq!(play.possible(), "");
}

#[test]
fn two_faults_need_a_bound_of_two() {
    let faults = fault("k", "\"clean_reject\"") + "[[fault]]\nat = \"c0.callback\"\nkinds = [\"trap\"]\nbudget = 1\n";
    let mut one = play(&faults);
    one.steps("0 0.1j");
    assert_eq!(one.possible(), "0.1r");
    let mut two = play(&(faults + "[explore]\nfaults = 2\n"));
    two.steps("0 0.1j");
    assert_eq!(two.possible(), "0.1r 0.1rt");
}
