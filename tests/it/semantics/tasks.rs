//! Corners of what runs without a call: timers, heartbeats, inspection; and of time.

use super::super::play::Play;
use super::super::stage::{Stage, call, counts, id, observe};
use super::super::wat_canister::canister;
use super::{TRAP, answering, counting};

/// Seconds since 1970 at which every exploration starts.
const START_S: u64 = 1_620_633_600;

/// `s` sets the timer to now plus its argument in seconds; the timer adds 1 and does this.
fn ticking(timer: &str) -> String {
    counting(&format!(
        r#"(func $in (param i32) (drop (call $timer_set
             (i64.add (call $time) (i64.mul (i64.extend_i32_u (local.get 0)) (i64.const 1000000000))))))
           (func (export "canister_update s") (call $in (call $arg)) (call $reply))
           (func (export "canister_global_timer") (call $add (i32.const 1)) {timer})"#
    ))
}

fn set(seconds: u32) -> String {
    call("s", 0, "s", &format!("args = \"({seconds} : nat32)\""))
}

fn time(advance: &str, max: u32) -> String {
    format!("[[time]]\nadvance = \"{advance}\"\nmax = {max}\n")
}

#[test]
fn corner_22_timer_is_deactivated_when_it_starts_even_if_it_traps() {
    for (body, x) in [("", "1"), (TRAP, "0")] {
        let mut play = Play::new(&Stage::new(&[ticking(body)], &(set(0) + &observe(0, "x"))));
        assert_eq!(play.possible(), "0");
        play.steps("0");
        assert_eq!(play.possible(), "c0.t1");
        assert!(!play.is_quiet(), "a due timer must still run");
        play.steps("c0.t1");
        assert_eq!((play.possible(), play.observe("x")), (String::new(), x.to_string()));
        assert!(play.is_quiet());
    }
}

#[test]
fn corner_22_timer_of_the_past_fires_and_one_of_the_future_waits_for_time() {
    let rest = set(60) + &observe(0, "x") + &time("59s", 2);
    let mut play = Play::new(&Stage::new(&[ticking("")], &rest));
    play.steps("0 @1");
    assert_eq!(play.possible(), "@1");
    assert!(play.is_quiet(), "a timer that is not due need not run");
    play.steps("@1");
    assert_eq!(play.possible(), "c0.t1");
    play.steps("c0.t1");
    assert_eq!(play.observe("x"), "1");
}

#[test]
fn corner_22_setting_the_timer_in_the_timer_sees_zero_before_and_fires_again() {
    let again = r#"(if (i64.ne (call $timer_set (i64.const 5)) (i64.const 0)) (then (call $add (i32.const 100))))"#;
    let rest = set(0) + &observe(0, "x") + "[explore]\ntimers = 3\n";
    let stage = Stage::new(&[ticking(again)], &rest);
    let mut play = Play::new(&stage);
    play.steps("0 c0.t1 c0.t2 c0.t3");
    assert_eq!(play.observe("x"), "3");
    assert_eq!(play.possible(), "", "the bound on timers ends it");
    assert!(!play.is_quiet());
    let mut engine = stage.open();
    let explored = canloom::explore::explore(&mut engine, &Default::default(), &mut |_| {}).expect("all is offered");
    assert_eq!(explored.completeness, canloom::explore::Completeness::Timers);
}

#[test]
fn corner_22_timer_runs_for_the_management_canister_and_cannot_reply() {
    let who = "(call $add (i32.mul (call $caller_size) (i32.const 1000))) (call $reply)";
    let mut play = Play::new(&Stage::new(&[ticking(who)], &(set(0) + &observe(0, "x"))));
    let delivery = play.steps("0 c0.t1").expect("a delivery");
    let text = "Canister violated contract: \"ic0_msg_reply_data_append\" cannot be executed in global timer mode";
    assert_eq!(delivery.effects.trap.as_ref().map(|trap| trap.text.as_str()), Some(text));
    let who = "(call $add (i32.mul (call $caller_size) (i32.const 1000)))";
    let mut play = Play::new(&Stage::new(&[ticking(who)], &(set(0) + &observe(0, "x"))));
    play.steps("0 c0.t1");
    assert_eq!(play.observe("x"), "1", "the caller has no bytes");
}

#[test]
fn timer_may_await_and_its_requests_are_named_below_it() {
    let awaits = r#"(call $to (i32.const 1) (i32.const 'r') (i32.const 0) (i32.const 7)) (call $send)"#;
    let timer = format!(
        "{awaits}) (table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) (call $add (i32.const 10))"
    );
    let rest = set(0) + &observe(0, "x") + &observe(1, "y");
    let stage = Stage::new(&[ticking(&timer), answering()], &rest);
    let mut play = Play::new(&stage);
    play.steps("0 c0.t1 c0.t1.1");
    assert_eq!((play.observe("x"), play.observe("y")), ("1".to_string(), "7".to_string()));
    assert!(!play.is_quiet());
    play.steps("c0.t1.1r");
    assert_eq!(play.observe("x"), "11");
    assert!(play.is_quiet());
    assert_eq!(counts(&stage.explore()), (1, 1), "start, timer, request, response have one order");
}

#[test]
fn timer_and_calls_come_in_any_order() {
    let rest = set(0) + &call("t", 0, "t", "") + &observe(0, "x");
    let body = ticking(") (func (export \"canister_update t\") (call $add (global.get $x)) (call $reply)");
    let explored = Stage::new(&[body], &rest).explore();
    // s, then t and the timer in either order; or t first.
    assert_eq!(counts(&explored), (3, 3));
    let outcomes: Vec<&str> = explored.outcomes[&(2, 0)].iter().map(String::as_str).collect();
    assert_eq!(outcomes, ["x = 1 | s = null; t = null", "x = 2 | s = null; t = null"]);
}

#[test]
fn heartbeats_run_as_often_as_the_bound_allows_and_need_not() {
    let body = counting(
        r#"(func (export "canister_heartbeat") (call $add (i32.const 1)))
           (func (export "canister_update g") (call $add (global.get $x)) (call $reply))"#,
    );
    for (bound, interleavings, outcomes) in [
        ("", 3, vec!["x = 0 | g = null", "x = 1 | g = null", "x = 2 | g = null"]),
        ("[explore]\nheartbeats = 0\n", 1, vec!["x = 0 | g = null"]),
        // None, one before or after, two in three places.
        (
            "[explore]\nheartbeats = 2\n",
            6,
            vec!["x = 0 | g = null", "x = 1 | g = null", "x = 2 | g = null", "x = 3 | g = null", "x = 4 | g = null"],
        ),
    ] {
        let rest = call("g", 0, "g", "") + &observe(0, "x") + bound;
        let explored = Stage::new(std::slice::from_ref(&body), &rest).explore();
        assert_eq!(counts(&explored), (interleavings, interleavings), "{bound}");
        let found: Vec<&str> = explored.outcomes[&(1, 0)].iter().map(String::as_str).collect();
        assert_eq!(found, outcomes, "{bound}");
    }
}

#[test]
fn heartbeat_that_traps_is_silent_and_undone() {
    let body = format!("(func (export \"canister_heartbeat\") (call $add (i32.const 1)) {TRAP})");
    let rest = call("x", 0, "x", "") + &observe(0, "x");
    let mut play = Play::new(&Stage::new(&[counting(&body)], &rest));
    let delivery = play.steps("c0.h1").expect("a delivery");
    assert!(delivery.effects.trap.is_some() && delivery.answered.is_none());
    assert_eq!((play.observe("x"), play.possible()), ("0".to_string(), "0".to_string()));
}

#[test]
fn corner_26_inspection_decides_on_ingress_only_and_leaves_no_trace() {
    let inspected = |inspect: &str| {
        counting(&format!(
            r#"(func (export "canister_update g") (call $add (i32.const 1)) (call $reply))
               (func (export "canister_inspect_message") (call $add (i32.const 100)) {inspect})"#
        ))
        .replace(
            "(import \"ic0\" \"trap\"",
            "(import \"ic0\" \"accept_message\" (func $accept_message)) (import \"ic0\" \"trap\"",
        )
    };
    let rest = call("g", 0, "g", "") + &observe(0, "x");
    let mut play = Play::new(&Stage::new(&[inspected("(call $accept_message)")], &rest));
    assert_eq!(play.possible(), "0s");
    play.steps("0s");
    assert_eq!((play.observe("x"), play.answer(0), play.possible()), ("0".into(), "open".into(), "0".into()));
    play.steps("0");
    assert_eq!((play.observe("x"), play.answer(0)), ("1".into(), "null".into()));

    let mut play = Play::new(&Stage::new(&[inspected("")], &rest));
    play.steps("0s");
    assert_eq!(play.answer(0), format!("reject 4: IC0406: Canister {} rejected the message", id(0)));
    assert_eq!((play.observe("x"), play.possible()), ("0".into(), String::new()));

    let mut play = Play::new(&Stage::new(&[inspected("(call $accept_message) (call $accept_message)")], &rest));
    play.steps("0s");
    assert!(play.answer(0).starts_with("reject 5: IC0504: Error from Canister"), "{}", play.answer(0));

    // A canister's call is not inspected.
    let caller = canister(
        r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) (call $reply))
           (func (export "canister_update w") (call $to (i32.const 0) (i32.const 'g') (i32.const 0) (i32.const 0)) (call $send))"#,
    );
    let rest = call("w", 1, "w", "") + &observe(0, "x");
    let mut play = Play::new(&Stage::new(&[inspected(""), caller], &rest));
    play.steps("0 0.1 0.1r");
    assert_eq!((play.observe("x"), play.answer(0)), ("1".into(), "null".into()));
}

#[test]
fn what_was_inspected_may_start_in_a_later_state() {
    // Accepted while x is 0; then x changes. One who checks in inspect_message only is surprised.
    let body = counting(
        r#"(func (export "canister_update g") (call $add (i32.add (global.get $x) (i32.const 1))) (call $reply))
           (func (export "canister_inspect_message") (if (i32.eqz (global.get $x)) (then (call $accept_message))))"#,
    )
    .replace(
        "(import \"ic0\" \"trap\"",
        "(import \"ic0\" \"accept_message\" (func $accept_message)) (import \"ic0\" \"trap\"",
    );
    let rest = call("g", 0, "g", "max = 2") + &observe(0, "x");
    let explored = Stage::new(&[body], &rest).explore();
    let outcomes: Vec<&str> = explored.outcomes[&(2, 0)].iter().map(String::as_str).collect();
    assert_eq!(outcomes, ["x = 1 | g = null; g rejected 4", "x = 3 | g = null; g = null"]);
    // Both accepted first: 2 orders of submission times 2 of start; one through, then the other refused: 2.
    assert_eq!(counts(&explored).0, 6);
}

#[test]
fn corner_18_deadline_that_has_passed_expires_without_a_fault() {
    let body = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) (call $add (call $reject_code)) (call $reply))
           (func (export "canister_update g") {} (call $bounded (i32.const 10)) (call $send))"#,
        "(call $to (i32.const 1) (i32.const 'r') (i32.const 0) (i32.const 7))"
    );
    let rest = call("g", 0, "g", "") + &observe(0, "x") + &observe(1, "y") + &time("10s", 1) + &time("1s", 1);
    let stage = Stage::new(&[counting(&body), answering()], &rest);
    let mut play = Play::new(&stage);
    play.steps("0 @1");
    assert!(!play.possible().contains("0.1x"), "a deadline that is reached has not passed");
    play.steps("@2");
    assert!(play.possible().contains("0.1x"));
    play.steps("0.1x 0.1r");
    assert_eq!((play.observe("x"), play.observe("y"), play.answer(0)), ("6".into(), "0".into(), "null".into()));
    // The callee may start after that, and its answer is dropped.
    play.steps("0.1");
    assert_eq!((play.observe("x"), play.observe("y")), ("6".into(), "7".into()));
    assert!(play.is_quiet());
}

#[test]
fn corner_18_answer_after_expiry_is_dropped() {
    let body = format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) (call $add (call $reject_code)) (call $reply))
           (func (export "canister_update g") {} (call $bounded (i32.const 10)) (call $send))"#,
        "(call $to (i32.const 1) (i32.const 'r') (i32.const 0) (i32.const 7))"
    );
    let rest = call("g", 0, "g", "") + &observe(0, "x") + &observe(1, "y") + &time("20s", 1);
    let mut play = Play::new(&Stage::new(&[counting(&body), answering()], &rest));
    let late = play.steps("0 @1 0.1x 0.1").expect("a delivery");
    assert!(late.dropped, "nobody waits for the late answer");
    play.steps("0.1r");
    assert_eq!((play.observe("x"), play.observe("y")), ("6".into(), "7".into()));
    assert_eq!(play.possible(), "", "the callback has run once, with code 6");
}

#[test]
fn corner_18_callee_sees_the_deadline_in_whole_seconds_at_most_300_ahead() {
    let callee = canister(
        r#"(global $d (mut i32) (i32.const 0))
           (func (export "canister_update r") (global.set $d (i32.wrap_i64 (i64.div_u (call $deadline) (i64.const 1000000000)))) (call $reply))
           (func (export "canister_query y") (call $number (global.get $d)))"#,
    );
    for (timeout, expected) in [(Some(10), START_S + 11), (Some(1000), START_S + 301), (None, 0)] {
        let bounded = timeout.map_or_else(String::new, |s| format!("(call $bounded (i32.const {s}))"));
        let body = format!(
            r#"(table 1 funcref) (elem (i32.const 0) $done) (func $done (param i32) (call $reply))
               (func (export "canister_update g") (call $to (i32.const 1) (i32.const 'r') (i32.const 0) (i32.const 7)) {bounded} (call $send))"#
        );
        // The call is made half a second after a full one.
        let rest = call("g", 0, "g", "") + &observe(1, "y") + &time("1500ms", 1);
        let mut play = Play::new(&Stage::new(&[counting(&body), callee.clone()], &rest));
        play.steps("@1 0 0.1");
        assert_eq!(play.observe("y"), expected.to_string(), "timeout {timeout:?}");
    }
}

#[test]
fn corner_27_time_is_constant_but_for_time_steps_and_an_observation_sees_it() {
    let body = canister(
        r#"(func (export "canister_query clock") (call $number (i32.wrap_i64 (i64.div_u (call $time) (i64.const 1000000000)))))
           (func (export "canister_update g") (call $reply))"#,
    );
    let rest = call("g", 0, "g", "") + &observe(0, "clock") + &time("1h30m", 2) + &time("7d", 1);
    let mut play = Play::new(&Stage::new(&[body], &rest));
    assert_eq!(play.observe("clock"), START_S.to_string());
    play.steps("0");
    assert_eq!(play.observe("clock"), START_S.to_string());
    play.steps("@1 @1");
    assert_eq!(play.observe("clock"), (START_S + 10_800).to_string());
    assert_eq!(play.possible(), "@2", "a time step has a budget");
    play.steps("@2");
    assert_eq!(play.observe("clock"), (START_S + 10_800 + 7 * 86_400).to_string());
}

/// `a` grows the heap by a page; the hook adds 1 and does this. The limit is 4 pages, the threshold 2.
fn growing(hook: &str, limits: &str) -> Stage {
    let body = counting(&format!(
        r#"(func (export "canister_update a") (drop (memory.grow (i32.const 1))) (call $add (i32.const 10)) (call $reply))
           (func (export "canister_on_low_wasm_memory") (call $add (i32.const 1)) {hook})
           (func (export "canister_heartbeat"))"#
    ));
    let stage = Stage::new(&[body], &(call("a", 0, "a", "max = 4") + &observe(0, "x")));
    let file = stage.file("scenario.toml");
    let text = std::fs::read_to_string(&file).expect("it was written");
    std::fs::write(file, text.replace("c0.wasm\"\n", &format!("c0.wasm\"\n{limits}"))).expect("the folder is there");
    stage
}

#[test]
fn low_memory_hook_runs_before_anything_else_and_once() {
    let limits = "wasm_memory_limit = 262144\nwasm_memory_threshold = 131072\n";
    let mut play = Play::new(&growing("", limits));
    play.steps("0");
    assert_eq!(play.possible(), "1 c0.h1", "two pages are left");
    play.steps("1");
    assert_eq!(play.possible(), "c0.m1", "one page is left");
    assert!(!play.is_quiet());
    play.steps("c0.m1");
    assert_eq!((play.observe("x"), play.possible()), ("21".into(), "2 c0.h1".into()));
    play.steps("2");
    assert_eq!((play.observe("x"), play.possible()), ("31".into(), "3 c0.h1".into()), "memory is still low");
    play.steps("3");
    assert!(play.answer(3).contains("IC0539"), "{}", play.answer(3));
    assert_eq!(play.observe("x"), "31", "the call beyond the limit is undone");
}

#[test]
fn low_memory_hook_that_traps_is_not_run_again_and_without_a_threshold_never() {
    let limits = "wasm_memory_limit = 262144\nwasm_memory_threshold = 131072\n";
    let mut play = Play::new(&growing(TRAP, limits));
    play.steps("0 1 c0.m1");
    assert_eq!((play.observe("x"), play.possible()), ("20".into(), "2 c0.h1".into()));
    let mut play = Play::new(&growing("", "wasm_memory_limit = 262144\n"));
    play.steps("0 1 2");
    assert_eq!((play.observe("x"), play.possible()), ("30".into(), "3 c0.h1".into()));
}
