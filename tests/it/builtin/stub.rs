//! What a stub does, as its callers and invariants see it.

use canloom::explore::Explored;
use canloom::scenario::Scenario;

use crate::play::Play;
use crate::stage::{Stage, call, counts, id};
use crate::wat_canister::{Wait, forwarder};

/// A forwarder `c0`, whose `w` awaits `t` of the stub `c1` that answers it like this.
fn with_stub(t: &str, wait: Wait, rest: &str) -> Stage {
    let stub = format!("[canister.c1]\nbuiltin = \"stub\"\nid = \"{}\"\n[canister.c1.replies]\nt = {t}\n", id(1));
    Stage::new(&[forwarder(&[1], wait)], &format!("{stub}{rest}"))
}

fn withdrawals(max: u32) -> String {
    call("w", 0, "w", &format!("args = \"(0 : nat32)\"\nmax = {max}"))
}

/// The invariants that are violated, by position.
fn violated(explored: &Explored) -> Vec<usize> {
    explored.findings.iter().map(|finding| finding.invariant).collect()
}

#[test]
fn a_held_call_leaves_a_quiet_world_in_which_its_callers_wait() {
    let mut play = Play::new(&with_stub("{ hold = true }", Wait::Unbounded, &withdrawals(1)));
    let delivery = play.steps("0 0.1").expect("a delivery");
    assert!(delivery.awaits && delivery.answered.is_none());
    assert!(play.is_quiet());
    assert_eq!((play.answer(0), play.possible()), ("open".to_string(), String::new()));
}

#[test]
fn a_call_on_its_way_to_be_held_is_not_quiet() {
    let mut play = Play::new(&with_stub("{ hold = true }", Wait::Unbounded, &withdrawals(1)));
    assert!(play.is_quiet());
    play.steps("0");
    assert!(!play.is_quiet());
}

#[test]
fn a_held_call_can_still_end_in_sys_unknown() {
    let fault = "[[fault]]\nedge = \"c0 -> c1.t\"\nkinds = [\"sys_unknown\"]\n";
    let stage = with_stub("{ hold = true }", Wait::Bounded, &(withdrawals(1) + fault));
    let mut play = Play::new(&stage);
    play.steps("0 0.1 0.1x");
    assert!(!play.is_quiet());
    play.steps("0.1r");
    assert!(play.is_quiet());
    // Four interleavings have the answer of `w`: the request may start before, between, after or never.
    assert_eq!((play.answer(0), counts(&stage.explore())), ("null".to_string(), (5, 1)));
}

#[test]
fn quiescent_and_final_invariants_are_checked_with_held_calls_open() {
    let invariants = r#"
[[invariant]]
name = "no call stays open"
when = "quiescent"
expr = 'count(open("w")) == 0'

[[invariant]]
name = "one of them stays open"
when = "final"
expr = 'count(open("w")) == 1 and count(ok("w")) == 1'
"#;
    let explored = with_stub("[\"()\", { hold = true }]", Wait::Unbounded, &(withdrawals(2) + invariants)).explore();
    assert_eq!(violated(&explored), [0]);
}

#[test]
fn a_reject_has_code_4_and_a_trap_code_5() {
    for (t, text) in [
        ("{ reject = \"closed\" }", "reject 4: closed".to_string()),
        ("{ trap = \"broken\" }", format!("reject 5: IC0503: Error from Canister {}: broken", id(1))),
    ] {
        let stage = with_stub(t, Wait::Unbounded, &call("t", 1, "t", ""));
        let mut play = Play::new(&stage);
        play.steps("0");
        assert_eq!(play.answer(0), text);
    }
}

#[test]
fn answers_in_turn_are_part_of_the_world() {
    let stage = with_stub("[\"(1)\", \"(2)\", \"(3)\"]", Wait::Unbounded, &call("t", 1, "t", "max = 4"));
    let mut play = Play::new(&stage);
    play.steps("0 1 2 3");
    assert_eq!([0, 1, 2, 3].map(|call| play.answer(call)), ["1", "2", "3", "3"]);
}

#[test]
fn a_stub_re_enters_its_caller_and_then_replies() {
    let t = "[{ call = \"c0.w\", args = \"(1 : nat32)\" }, \"()\"]";
    let stage = with_stub(t, Wait::Unbounded, &withdrawals(1));
    let mut play = Play::new(&stage);
    play.steps("0 0.1 0.1.1 0.1.1.1");
    assert_eq!((play.possible(), play.is_quiet()), ("0.1.1.1r".to_string(), false));
    play.steps("0.1.1.1r 0.1.1r 0.1r");
    assert_eq!((play.answer(0), play.is_quiet()), ("null".to_string(), true));
    assert_eq!(counts(&stage.explore()), (1, 1));
}

#[test]
fn a_stub_replies_also_when_its_call_is_rejected() {
    let fault = "[[fault]]\nedge = \"c1 -> c0.w\"\nkinds = [\"clean_reject\"]\n";
    let t = "{ call = \"c0.w\", args = \"(1 : nat32)\", then = \"(8 : nat8)\" }";
    let stage = with_stub(t, Wait::Unbounded, &(call("t", 1, "t", "") + fault));
    let mut play = Play::new(&stage);
    play.steps("0 0.1j 0.1r");
    assert_eq!(play.answer(0), "8");
}

/// What is said of a scenario when it is installed.
fn refusal(stage: &Stage) -> String {
    let scenario = Scenario::load(&stage.file("scenario.toml")).expect("the file is well-formed");
    let error = canloom::engine::embedded::Embedded::open(std::sync::Arc::new(scenario)).err().expect("a refusal");
    error.to_string().rsplit('/').next().expect("a file name").to_string()
}

#[test]
fn a_stub_that_calls_a_method_that_is_not_there_is_refused_with_its_line() {
    let stage = with_stub("{ call = \"c0.x\" }", Wait::Unbounded, &withdrawals(1));
    assert_eq!(refusal(&stage), "scenario.toml:12: canister `c0` has no method `x`, did you mean `w`?");
}

#[test]
fn an_answer_that_takes_time_cannot_be_observed() {
    let observe = "[observe.o]\nfrom = \"c1\"\nquery = \"t\"\n";
    let stage = with_stub("[\"()\", { hold = true }]", Wait::Unbounded, &format!("{}{observe}", withdrawals(1)));
    let text = "scenario.toml:20: canister `c1`: `t` is not a query method; write `update = \"t\"`, which runs it on a copy of the state";
    assert_eq!(refusal(&stage), text);
}
