//! Corners of stopping, upgrading, reinstalling and uninstalling with calls in flight.

use super::super::play::Play;
use super::super::stage::{Stage, call, counts, id, observe};
use super::super::wat_canister::canister_with;
use super::{TRAP, answering, counting};

/// `g` adds 1, awaits `r` of c1, adds 10 and replies; `w` does so by a call of its own `e`; `e` adds 100.
fn waiting(more: &str) -> String {
    counting(&format!(
        r#"(table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (call $add (i32.const 10)) (call $reply))
           (func (export "canister_update g") (call $add (i32.const 1))
             (call $to (i32.const 1) (i32.const 'r') (i32.const 0) (i32.const 7)) (call $send))
           (func (export "canister_update w") (call $add (i32.const 1))
             (call $to (i32.const 0) (i32.const 'e') (i32.const 0) (i32.const 7)) (call $send))
           (func (export "canister_update e") (call $add (i32.const 100)) (call $reply))
           {more}"#
    ))
}

fn change(kinds: &str) -> String {
    format!("[[fault]]\nat = \"c0.upgrade\"\nkinds = [{kinds}]\nbudget = 1\n")
}

fn play(more: &str, methods: &[&str], faults: &str) -> Play {
    Play::new(&stage(more, methods, faults))
}

fn stage(more: &str, methods: &[&str], faults: &str) -> Stage {
    let calls: String = methods.iter().enumerate().map(|(at, name)| call(&format!("c{at}"), 0, name, "")).collect();
    let rest = calls + &observe(0, "x") + &observe(1, "y") + faults;
    Stage::new(&[waiting(more), answering()], &rest)
}

#[test]
fn corner_19_stopping_canister_refuses_calls_and_runs_callbacks() {
    let mut play = play("", &["g", "e"], &change("\"stop\""));
    play.steps("0 c0.stop1 1");
    assert_eq!(play.answer(1), format!("reject 5: Canister {} is stopping", id(0)));
    assert!(!play.is_quiet());
    play.steps("0.1 0.1r");
    assert_eq!(play.answer(0), "null");
    assert!(play.is_quiet());
    let stopped = play.observe("x");
    assert!(stopped.contains("is stopped"), "{stopped}");
    assert_eq!(play.possible(), "", "a canister that stops for good is not started again");
}

#[test]
fn corner_19_self_call_of_a_stopping_canister_is_rejected() {
    let mut play = play("", &["w"], &change("\"stop_start\""));
    play.steps("0 c0.stop1 0.1");
    assert_eq!(play.observe("x"), "1", "e did not run");
    play.steps("0.1r c0.start1");
    assert_eq!((play.observe("x"), play.answer(0)), ("11".into(), "null".into()));
}

#[test]
fn corner_19_timers_and_heartbeats_are_silent_while_stopping_and_the_timer_is_kept() {
    let more = r#"(func (export "canister_update s") (drop (call $timer_set (i64.const 5))) (call $reply))
                  (func (export "canister_global_timer") (call $add (i32.const 1000)))
                  (func (export "canister_heartbeat") (call $add (i32.const 5000)))"#;
    let mut play = play(more, &["g", "s"], &change("\"stop_start\""));
    play.steps("0 1");
    assert!(play.possible().starts_with("c0.t1 c0.h1 "));
    play.steps("c0.stop1");
    assert_eq!(play.possible(), "0.1 c0.start1");
    play.steps("0.1 0.1r");
    assert_eq!(play.possible(), "c0.start1");
    play.steps("c0.start1");
    assert_eq!(play.possible(), "c0.t1 c0.h1");
    play.steps("c0.t1");
    assert_eq!(play.observe("x"), "1011");
}

#[test]
fn corner_19_canister_has_stopped_only_when_no_context_is_left_even_an_answered_one() {
    // h replies at once and still waits.
    let more = r#"(func (export "canister_update h") (call $add (i32.const 1)) (call $reply)
        (call $to (i32.const 1) (i32.const 'r') (i32.const 1) (i32.const 7)) (call $send))
        (table 2 funcref) (elem (i32.const 1) $ignore) (func $ignore (param i32))"#;
    let more = more.replace("(table 2 funcref) ", "");
    let canister = waiting(&more).replace("(table 1 funcref)", "(table 2 funcref)");
    let rest = call("h", 0, "h", "") + &observe(0, "x") + &change("\"stop_upgrade_start\"");
    let mut play = Play::new(&Stage::new(&[canister, answering()], &rest));
    play.steps("0");
    assert_eq!(play.answer(0), "null");
    play.steps("c0.stop1");
    assert_eq!(play.possible(), "0.1", "no upgrade before it has stopped");
    play.steps("0.1 0.1r");
    assert_eq!(play.possible(), "c0.upgrade1");
}

#[test]
fn corner_20_uninstall_rejects_open_calls_and_later_responses_run_nothing() {
    let mut play = play("", &["g", "e"], &change("\"uninstall\""));
    play.steps("0 c0.uninstall1");
    assert_eq!(play.answer(0), "reject 4: Canister has been uninstalled.");
    play.steps("0.1 0.1r 1");
    assert!(play.answer(1).starts_with("reject 5: IC0537: "), "{}", play.answer(1));
    assert!(play.is_quiet());
    assert_eq!(play.possible(), "");
}

#[test]
fn corner_20_callback_runs_in_the_new_code_after_upgrade_and_reinstall() {
    for (kind, step) in [("upgrade_no_stop", "c0.upgrade1"), ("reinstall", "c0.reinstall1")] {
        let mut play = play("", &["g"], &change(&format!("\"{kind}\"")));
        play.steps(&format!("0 {step}"));
        assert_eq!(play.observe("x"), "0", "globals start anew");
        play.steps("0.1 0.1r");
        assert_eq!((play.observe("x"), play.answer(0)), ("10".into(), "null".into()), "{kind}");
    }
}

#[test]
fn corner_20_callback_that_the_new_module_lacks_traps() {
    let stage = stage("", &["g"], &(change("\"upgrade_no_stop\"") + "wasm = \"other.wasm\"\n"));
    let other = counting(r#"(func (export "canister_update g") (call $reply))"#);
    std::fs::write(stage.file("other.wasm"), wat::parse_str(other).expect("a module")).expect("the folder is there");
    let mut play = Play::new(&stage);
    play.steps("0 c0.upgrade1 0.1 0.1r");
    let answer = play.answer(0);
    assert!(answer.contains("IC0513") && answer.contains("non-existent Wasm function 0"), "{answer}");
}

/// A heap value and one in stable memory, which `u` sets; both are shown. pre_upgrade carries the heap value over.
fn keeping(pre: &str, post: &str) -> String {
    counting(&format!(
        r#"(func (export "canister_init") (call $stable_grow (i32.const 1)))
           (func (export "canister_update u") (call $add (i32.const 5)) (call $stable_store (i32.const 0) (i32.const 6))
             (drop (call $timer_set (i64.const 9000000000000000000))) (call $reply))
           (func (export "canister_query s") (call $number (call $stable_load (i32.const 0))))
           (func (export "canister_pre_upgrade") {pre})
           (func (export "canister_post_upgrade") {post})"#
    ))
}

fn upgraded(pre: &str, post: &str) -> (String, String, u64, Play) {
    let rest = call("u", 0, "u", "") + &observe(0, "x") + &observe(0, "s") + &change("\"stop_upgrade_start\"");
    let mut play = Play::new(&Stage::new(&[keeping(pre, post)], &rest));
    play.steps("0 c0.stop1 c0.upgrade1");
    let timer_ns = play.engine.kernel.system(play.world.canisters[0]).timer_ns;
    (play.observe("x"), play.observe("s"), timer_ns, play)
}

#[test]
fn corner_21_upgrade_keeps_stable_memory_and_clears_heap_and_timer() {
    let save = "(call $stable_store (i32.const 4) (global.get $x))";
    let (x, s, timer_ns, mut play) = upgraded(save, "(call $add (call $stable_load (i32.const 4)))");
    assert_eq!((x.as_str(), s.as_str(), timer_ns), ("5", "6", 0));
    assert!(play.is_quiet());
    assert_eq!(play.possible(), "", "it was started again");
    let (x, s, timer_ns, _) = upgraded(save, "");
    assert_eq!((x.as_str(), s.as_str(), timer_ns), ("0", "6", 0));
}

#[test]
fn corner_21_trap_in_an_upgrade_undoes_all_of_it() {
    let write = "(call $stable_store (i32.const 0) (i32.const 99))";
    for (pre, post) in [(format!("{write} {TRAP}"), String::new()), (write.to_string(), format!("{write} {TRAP}"))] {
        let (x, s, timer_ns, _) = upgraded(&pre, &post);
        assert_eq!((x.as_str(), s.as_str(), timer_ns), ("5", "6", 9_000_000_000_000_000_000));
    }
}

#[test]
fn corner_21_reinstall_loses_stable_memory_too() {
    let rest = call("u", 0, "u", "") + &observe(0, "x") + &observe(0, "s") + &change("\"reinstall\"");
    let mut play = Play::new(&Stage::new(&[keeping("", "")], &rest));
    play.steps("0 c0.reinstall1");
    assert_eq!((play.observe("x"), play.observe("s")), ("0".into(), "0".into()));
}

#[test]
fn snapshot_brings_back_heap_and_stable_memory_but_not_calls() {
    let rest = call("u", 0, "u", "max = 2") + &observe(0, "x") + &observe(0, "s") + &change("\"snapshot_load\"");
    let mut play = Play::new(&Stage::new(&[keeping("", "")], &rest));
    play.steps("c0.snapshot1 0");
    assert_eq!(play.possible(), "1 c0.load1");
    assert!(play.is_quiet(), "the snapshot need not be loaded");
    play.steps("c0.load1");
    assert_eq!((play.observe("x"), play.observe("s"), play.answer(0)), ("0".into(), "0".into(), "null".into()));
    play.steps("1");
    assert_eq!(play.observe("x"), "5");
}

#[test]
fn corner_28_version_counts_executions_and_changes_but_no_traps_and_no_queries() {
    let body = format!(
        r#"(global $x (mut i32) (i32.const 0))
           (func (export "canister_update u") (call $reply))
           (func (export "canister_update t") {TRAP})
           (func (export "canister_query q") (call $reply))
           (func (export "canister_pre_upgrade") (call $stable_grow (i32.const 1))
             (call $stable_store (i32.const 0) (i32.wrap_i64 (call $version))))
           (func (export "canister_post_upgrade") (global.set $x (i32.wrap_i64 (call $version))))
           (func (export "canister_query v") (call $number (i32.wrap_i64 (call $version))))
           (func (export "canister_query old") (call $number (call $stable_load (i32.const 0))))
           (func (export "canister_query new") (call $number (global.get $x)))"#
    );
    let import = "(import \"ic0\" \"canister_version\" (func $version (result i64)))";
    let calls = ["u", "t", "q"].map(|name| call(name, 0, name, "")).concat();
    let observed = ["v", "old", "new"].map(|name| observe(0, name)).concat();
    let rest = calls + &observed + &change("\"upgrade_no_stop\", \"stop_start\"") + "[explore]\nfaults = 2\n";
    let rest = rest.replace("budget = 1", "budget = 2");
    let mut play = Play::new(&Stage::new(&[canister_with(import, &body)], &rest));
    let mut versions = vec![play.observe("v")];
    for step in ["0", "1", "2", "c0.upgrade1", "c0.stop2", "c0.start2"] {
        play.steps(step);
        versions.push(play.observe("v"));
    }
    // Update, trap, query called as an update, upgrade, stop, start.
    assert_eq!(versions, ["0", "1", "1", "2", "3", "4", "5"]);
    assert_eq!((play.observe("old"), play.observe("new")), ("2".into(), "3".into()), "the old and the new version");
}

#[test]
fn every_order_of_a_call_and_a_stop_is_explored() {
    let (all, without) = counts(&stage("", &["g"], &change("\"stop_start\"")).explore());
    assert_eq!(without, 1);
    // The call without the fault: 1. Stop and start both before it: 1. Both in the three gaps after its first delivery: 6.
    // Stop before it and start after it: 1, in which it is refused.
    assert_eq!(all, 1 + 1 + 6 + 1);
}
