//! Schedules that the IC can never produce are refused, with the rule named.

mod unrest;

use std::process::Command;

use canloom::counterexample::{ReplayError, replay};
use canloom::schedule::Schedule;

use super::stage::{Stage, call, fault};
use super::wat_canister::{Wait, forwarder, ledger};

/// Two calls that await the ledger, with at most one fault of either kind.
fn stage(wait: Wait) -> Stage {
    let calls: String =
        [0, 1].map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).concat();
    let invariant = "[[invariant]]\nname = \"never\"\nwhen = \"always\"\nexpr = \"count(done(\\\"w0\\\")) == 0\"\n";
    let rest = format!("{calls}{invariant}[explore]\nfaults = 1\n{}", fault("t", "\"clean_reject\", \"sys_unknown\""));
    Stage::new(&[forwarder(&[1], wait), ledger()], &rest)
}

/// Number of the step that is refused, its name, why, and what was possible.
fn refusal(wait: Wait, schedule: &str) -> (usize, String, String, String) {
    refusal_in(&stage(wait), schedule)
}

fn refusal_in(stage: &Stage, schedule: &str) -> (usize, String, String, String) {
    let steps = schedule.split_whitespace().map(|name| name.parse().expect("a name")).collect();
    match replay(&mut stage.open(), &Schedule { steps }, None) {
        Err(ReplayError::Divergence { number, step, refusal, possible }) => {
            (number, step.to_string(), refusal.to_string(), possible.join(" "))
        }
        other => panic!("`{schedule}` is refused, not {other:?}"),
    }
}

fn assert_refused(wait: Wait, schedule: &str, rule: &str, possible: &str) {
    let steps: Vec<&str> = schedule.split_whitespace().collect();
    let last = steps[steps.len() - 1].to_string();
    assert_eq!(refusal(wait, schedule), (steps.len(), last, rule.to_string(), possible.to_string()));
}

#[test]
fn second_request_of_a_pair_before_the_first_is_refused() {
    assert_refused(
        Wait::Unbounded,
        "0 1 1.1",
        "not legal on the IC: requests from one canister to another start in the order in which they were sent, and 0.1 \
         was sent before 1.1",
        "0.1 0.1j 1.1j",
    );
}

#[test]
fn request_behind_an_expired_one_may_start_and_drops_it() {
    let steps = "0 1 0.1x 1.1 0.1".split_whitespace().map(|name| name.parse().expect("a name")).collect();
    let dropped = replay(&mut stage(Wait::Bounded).open(), &Schedule { steps }, None);
    let Err(ReplayError::Divergence { number, refusal, .. }) = dropped else { panic!("0.1 was dropped: {dropped:?}") };
    assert_eq!(
        (number, refusal.to_string().as_str()),
        (5, "not legal on the IC: request 0.1 is delivered at most once")
    );
}

#[test]
fn response_before_its_request_was_answered_is_refused() {
    let rule = "not legal on the IC: response 0.1r before its request was answered";
    assert_refused(Wait::Unbounded, "0 0.1r", rule, "1 0.1 0.1j");
}

#[test]
fn sys_unknown_on_an_unbounded_call_is_refused() {
    let rule = "not legal on the IC: SYS_UNKNOWN on an unbounded-wait call, whose response is guaranteed";
    assert_refused(Wait::Unbounded, "0 0.1x", rule, "1 0.1 0.1j");
}

#[test]
fn sys_unknown_after_the_callback_is_refused() {
    let rule = "no such message: 0.1x was not sent, or is finished already";
    assert_refused(Wait::Bounded, "0 0.1 0.1r 0.1x", rule, "1");
}

#[test]
fn start_twice_is_refused() {
    let rule = "not legal on the IC: call 0 has started already, a call starts once";
    assert_refused(Wait::Unbounded, "0 0", rule, "1 0.1 0.1j");
}

#[test]
fn clean_reject_after_the_start_is_refused() {
    let rule = "not legal on the IC: a clean reject of a request that has started";
    assert_refused(Wait::Unbounded, "0 0.1 0.1j", rule, "1 0.1r");
}

#[test]
fn request_twice_is_refused() {
    let rule = "not legal on the IC: request 0.1 is delivered at most once";
    assert_refused(Wait::Unbounded, "0 0.1 0.1", rule, "1 0.1r");
}

#[test]
fn fault_beyond_the_budget_is_refused() {
    let rule = "outside the scenario's bounds: 1.1j would be one fault more than the 1 allowed";
    assert_refused(Wait::Unbounded, "0 1 0.1j 1.1j", rule, "0.1r 1.1");
}

#[test]
fn fault_that_the_scenario_does_not_offer_is_refused() {
    let rule = "outside the scenario's bounds: the scenario has no fault, or no budget left, for 0.1j3";
    assert_refused(Wait::Unbounded, "0 0.1j3", rule, "1 0.1 0.1j");
}

#[test]
fn step_of_a_call_that_has_not_started_or_is_not_there_is_refused() {
    assert_refused(Wait::Unbounded, "1.1", "not legal on the IC: 1.1 before the start of call 1", "0 1");
    let rule = "no such message: 2 belongs to call 2, the scenario has 2 calls";
    assert_refused(Wait::Unbounded, "2", rule, "0 1");
    let rule = "no such message: 0.2 was not sent, or is finished already";
    assert_refused(Wait::Unbounded, "0 0.2", rule, "1 0.1 0.1j");
}

#[test]
fn repro_names_the_rule_and_exits_with_4() {
    for (steps, rule) in [
        ("0\n1\n1.1\n", "requests from one canister to another start in the order in which they were sent"),
        ("0\n0.1r\n", "response 0.1r before its request was answered"),
        ("0\n0.1x\n", "SYS_UNKNOWN on an unbounded-wait call, whose response is guaranteed"),
        ("0\n0\n", "a call starts once"),
        ("0\n0.1\n0.1j\n", "a clean reject of a request that has started"),
        ("0\n1\n0.1j\n1.1j\n", "one fault more than the 1 allowed"),
    ] {
        let stage = stage(Wait::Unbounded);
        let file = stage.file("illegal.cx");
        let head =
            "canloom counterexample 1\nscenario: scenario.toml\ninvariant: never\nverdict: violated\ntool: test\n";
        std::fs::write(&file, format!("{head}\n{steps}")).expect("the folder can be written");
        let output =
            Command::new(env!("CARGO_BIN_EXE_canloom")).arg("repro").arg(&file).output().expect("canloom runs");
        let error = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(4), "{error}");
        assert!(error.starts_with(&format!("error: {}: divergence at step ", file.display())), "{error}");
        assert!(error.contains(rule) && error.contains("; possible here: "), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert_eq!(String::from_utf8(output.stdout).expect("text"), "");
    }
}
