//! Corner 24: what ic-cdk 0.20 makes of traps and cleanup with several calls or tasks in one method.

use super::super::fixtures::{INIT, beginning, call, module, observe, outcomes};
use super::super::play::Play;
use super::super::stage::{Stage, counts};

/// Calls of `canisters/fixtures/joins`: 0 to 2 join two payments, of which none, the first, or already the method
/// itself panics; the others spawn tasks.
pub const CALLS: [(&str, &str); 6] = [
    ("both", "(9 : nat64)"),
    ("both", "(1 : nat64)"),
    ("both", "(0 : nat64)"),
    ("answer_and_go_on", "()"),
    ("outlived", "()"),
    ("outlived_weak", "()"),
];

/// A scenario with these calls.
pub fn stage(calls: &[(&str, &str)]) -> Stage {
    let mut text = beginning(&module("joins"), INIT) + &observe(&["held", "seen"]);
    for (at, (method, args)) in calls.iter().enumerate() {
        text += &call(&format!("it{at}"), method, args);
    }
    Stage::with_scenario(&text)
}

/// After these steps: locks held, what has run as digits, and the answer to the call that the steps are about, of a trap
/// its own text up to a quote.
fn after(play: &mut Play, schedule: &str) -> (String, String, String) {
    play.rewind();
    play.steps(schedule);
    let answer = play.answer(schedule[..1].parse().expect("the number of a call"));
    let trap = answer.split_once("IC0503: ").and_then(|(_, text)| text.split_once("with message: '"));
    let text = trap.map_or(answer.as_str(), |(_, text)| text.trim_start_matches("Panicked at '"));
    (play.observe("held"), play.observe("seen"), text.split(['\'', '\n']).next().unwrap_or(text).to_string())
}

/// The same three, to compare with.
fn is(held: &str, seen: &str, answer: &str) -> (String, String, String) {
    (held.to_string(), seen.to_string(), answer.to_string())
}

#[test]
fn corner_24_join_all_runs_each_continuation_with_its_response_in_any_order() {
    let mut play = Play::new(&stage(&CALLS));
    assert_eq!(after(&mut play, "0 0.1 0.2"), is("1", "0", "open"));
    assert_eq!(after(&mut play, "0 0.1 0.2 0.1r"), is("1", "1", "open"));
    assert_eq!(after(&mut play, "0 0.1 0.2 0.1r 0.2r"), is("0", "123", "null"));
    assert_eq!(after(&mut play, "0 0.1 0.2 0.2r 0.1r"), is("0", "213", "null"));
}

#[test]
fn corner_24_continuation_that_panics_releases_the_lock_and_the_later_response_traps() {
    let mut play = Play::new(&stage(&CALLS));
    assert_eq!(after(&mut play, "1 1.1 1.2"), is("1", "0", "open"));
    // The callback is undone, its cleanup drops the whole method; the caller has no answer yet.
    assert_eq!(after(&mut play, "1 1.1 1.2 1.1r"), is("0", "0", "open"));
    assert_eq!(after(&mut play, "1 1.1 1.2 1.1r 1.2r"), is("0", "0", "Call already trapped"));
    assert_eq!(after(&mut play, "1 1.1 1.1r 1.2 1.2r"), is("0", "0", "Call already trapped"));
    // What an earlier continuation wrote stays if the last one panics.
    assert_eq!(after(&mut play, "1 1.1 1.2 1.2r"), is("1", "2", "open"));
    let (held, seen, answer) = after(&mut play, "1 1.1 1.2 1.2r 1.1r");
    assert_eq!((held.as_str(), seen.as_str()), ("0", "2"));
    assert!(answer.ends_with("part 1 panics"), "{answer}");
    // Before the first await there is no cleanup, and everything is undone.
    let (held, seen, answer) = after(&mut play, "2");
    assert_eq!((held.as_str(), seen.as_str()), ("0", "0"));
    assert!(answer.ends_with("nothing has been sent yet"), "{answer}");
}

#[test]
fn corner_24_search_finds_both_ends_of_joined_calls_of_which_one_panics() {
    let explored = stage(&CALLS[1..2]).explore();
    // 0 0.1, then 0.1r 0.2 0.2r, or 0.2 and the responses in either order.
    assert_eq!(counts(&explored), (3, 3));
    let ends = ["held = 0; seen = 0 | it0 rejected 5", "held = 0; seen = 2 | it0 rejected 5"];
    assert_eq!(outcomes(&explored, 1, 0), ends);
}

#[test]
fn corner_24_spawned_task_that_outlives_its_method_undoes_the_last_message() {
    let mut play = Play::new(&stage(&CALLS));
    // One that awaits a call keeps the method alive, behind its answer.
    assert_eq!(after(&mut play, "3"), is("1", "1", "null"));
    assert_eq!(after(&mut play, "3 3.1 3.1r"), is("0", "12", "null"));
    // One that nothing will wake does not. The message before stays, the lock is released.
    assert_eq!(after(&mut play, "4 4.1"), is("1", "1", "open"));
    let (held, seen, answer) = after(&mut play, "4 4.1 4.1r");
    assert_eq!((held.as_str(), seen.as_str()), ("0", "1"));
    assert!(answer.starts_with("protected task outlived its canister method"), "{answer}");
    assert_eq!(after(&mut play, "5 5.1 5.1r"), is("0", "12", "null"));
}
