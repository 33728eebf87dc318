//! Bounds on context switches and bounds narrower than the scenario's: exact numbers, and what a search within them may say.
//!
//! Two withdrawals have 14 interleavings (see `interleavings`). Where 0 starts first, with the switches marked by `/`:
//!
//! ```text
//! 0 0.1 0.1r 1 1.1 1.1r          none: 0 has ended when 1 starts
//! 0 / 1 0.1 0.1r 1.1 1.1r        1: 0.1 could run; 1.1 waits for 0.1, so 1 is left for nothing
//! 0 0.1 / 1 1.1 1.1r 0.1r        1
//! 0 / 1 0.1 / 1.1 1.1r 0.1r      2
//! 0 0.1 / 1 / 0.1r 1.1 1.1r      2
//! 0 0.1 / 1 1.1 / 0.1r 1.1r      2
//! 0 / 1 0.1 / 1.1 / 0.1r 1.1r    3
//! ```

use std::time::Duration;

use canloom::explore::{Budget, Completeness, Explored, explore as search};
use canloom::kernel::world::Turns;
use canloom::kernel::{Refusal, World};
use canloom::report::Verdict;
use canloom::report::text::summary;
use canloom::scenario::{BoundError, BoundName, Bounds};
use canloom::schedule::Step;

use super::play::Play;
use super::puppet::expr::{time, timer_set};
use super::puppet::{Program, Theater};
use super::stage::{Stage, call, counts, fault, observe};
use super::wat_canister::{Wait, forwarder, ledger};

/// Withdrawals with arguments 0, 1, ...
fn distinct(n: u32) -> String {
    (0..n).map(|at| call(&format!("w{at}"), 0, "w", &format!("args = \"({at} : nat32)\""))).collect()
}

fn stage(calls: &str, rest: &str) -> Stage {
    Stage::new(&[forwarder(&[1], Wait::Bounded), ledger()], &format!("{calls}{}{rest}", observe(1, "total")))
}

/// Explores within these bounds.
fn explore(stage: &Stage, narrow: &[(BoundName, u32)]) -> Explored {
    let mut engine = stage.open();
    let mut scenario = stage.scenario();
    for &(name, most) in narrow {
        scenario.narrow(name, most).expect("it is narrower");
    }
    engine.within(scenario.bounds);
    search(&mut engine, &Default::default(), &mut |_| {}).expect("all is offered")
}

/// Interleavings within so many switches, and whether they are all.
fn within_switches(stage: &Stage, most: u32) -> (u64, bool) {
    let explored = explore(stage, &[(BoundName::Switches, most)]);
    let is_all = explored.completeness == Completeness::Exhaustive;
    let within = if is_all { vec![] } else { vec![(BoundName::Switches, most)] };
    assert_eq!(explored.within, within);
    (counts(&explored).0, is_all)
}

#[test]
fn two_withdrawals_have_2_6_12_and_14_interleavings_within_0_to_3_switches() {
    let stage = stage(&distinct(2), "");
    let found = [0, 1, 2, 3].map(|most| within_switches(&stage, most));
    assert_eq!(found, [(2, false), (6, false), (12, false), (14, true)]);
}

// Exactly 0, 1, ... switches: 6, 42, 144, 240, 192, 12, from a model of three counters, a queue and the last call.
#[test]
fn three_withdrawals_have_6_48_192_432_624_and_636_within_0_to_5_switches() {
    let numbers = [(6, false), (48, false), (192, false), (432, false), (624, false), (636, true)];
    for calls in [distinct(3), call("w", 0, "w", "args = \"(1 : nat32)\"\nmax = 3")] {
        let stage = stage(&calls, "");
        assert_eq!([0, 1, 2, 3, 4, 5].map(|most| within_switches(&stage, most)), numbers, "{calls}");
    }
}

// 0 0.1 0.1r; what comes from outside is no switch: 0 0.1j 0.1r, and four with 0.1x. So one call never switches.
#[test]
fn faults_and_late_requests_of_one_call_are_no_switches() {
    let either = format!("[explore]\nfaults = 1\n{}", fault("t", "\"clean_reject\", \"sys_unknown\""));
    assert_eq!(within_switches(&stage(&distinct(1), &either), 0), (6, true));
}

// Without a fault 2. A reject of 0.1: 0 0.1j 0.1r 1 1.1 1.1r, where 1 may not start before 0.1r; likewise of 1.1 at the
// end; and with 0 and 1 exchanged: 4 in all.
#[test]
fn a_reject_lets_its_chain_go_on_and_leaves_6_interleavings_of_two_withdrawals_without_a_switch() {
    let reject = format!("[explore]\nfaults = 1\n{}", fault("t", "\"clean_reject\""));
    assert_eq!(within_switches(&stage(&distinct(2), &reject), 0), (6, false));
}

#[test]
fn a_switch_too_many_is_refused_in_a_schedule() {
    let stage = stage(&distinct(2), "[explore]\nswitches = 1\n");
    let mut play = Play::new(&stage);
    play.steps("0 1 0.1");
    assert_eq!(play.world.switches(), 1);
    assert_eq!(play.possible(), "0.1r");
    let step: Step = "1.1".parse().expect("a name");
    let refused = play.engine.kernel.find(&play.world, &step);
    let text = "1.1 would be one context switch more than the 1 allowed".to_string();
    assert_eq!(refused, Err(Refusal::Bound(text)));
    play.steps("0.1r 1.1 1.1r");
    assert_eq!((play.world.switches(), play.is_quiet()), (1, true));
}

#[test]
fn worlds_without_a_bound_on_switches_do_not_know_whose_turn_it_is() {
    let mut play = Play::new(&stage(&distinct(2), ""));
    play.steps("0 1 0.1 1.1");
    assert_eq!(play.world.turns, None);
}

/// An invariant that the order 1.1, 0.1 violates.
const ORDER: &str = "[[invariant]]\nname = \"order\"\nwhen = \"always\"\nexpr = \"total != 897\"\n";

// Fewest steps: 1 1.1 / 0 0.1, which is a switch, since 1.1r could run. Fewest switches: 1 1.1 1.1r 0 0.1.
#[test]
fn the_first_counterexample_has_fewest_switches_where_they_are_bounded() {
    let stage = stage(&distinct(2), ORDER);
    let simplest = |narrow: &[(BoundName, u32)]| {
        let found = explore(&stage, narrow).findings.remove(0);
        let steps: Vec<String> = found.schedule.steps.iter().map(ToString::to_string).collect();
        (found.switches, steps.join(" "))
    };
    assert_eq!(simplest(&[]), (None, "1 1.1 0 0.1".to_string()));
    for most in [0, 1, 3] {
        assert_eq!(simplest(&[(BoundName::Switches, most)]), (Some(0), "1 1.1 1.1r 0 0.1".to_string()));
    }
}

#[test]
fn calls_and_calls_in_flight_and_faults_can_be_narrowed() {
    let reject = format!("[explore]\nfaults = 1\n{}", fault("t", "\"clean_reject\""));
    let stage = stage(&distinct(3), &reject);
    let number = |narrow: &[(BoundName, u32)]| {
        let explored = explore(&stage, narrow);
        assert_eq!(explored.completeness, Completeness::Within, "{narrow:?}");
        assert_eq!(explored.within, narrow);
        counts(&explored).0
    };
    // The same as of scenarios that have these bounds; one call at a time and 0 or 1 reject: 6 + 6 * 3.
    assert_eq!(number(&[(BoundName::Faults, 0)]), 636);
    assert_eq!(number(&[(BoundName::Calls, 2), (BoundName::Faults, 0)]), 3 * 14);
    assert_eq!(number(&[(BoundName::Calls, 1)]), 3 * 2);
    assert_eq!(number(&[(BoundName::InFlight, 1)]), 24);
    assert_eq!(number(&[(BoundName::Calls, 2), (BoundName::InFlight, 1)]), 6 * 3);
    let all = explore(&stage, &[(BoundName::Calls, 3), (BoundName::Faults, 1), (BoundName::Depth, 1)]);
    assert_eq!((all.completeness, counts(&all).0), (Completeness::Exhaustive, 3_300));
}

// A chain of one message ends with the request; nothing is ever complete then.
#[test]
fn depth_can_be_narrowed() {
    let chain = [forwarder(&[1], Wait::Unbounded), forwarder(&[2], Wait::Unbounded), ledger()];
    let stage = Stage::new(&chain, &distinct(1));
    let explored = explore(&stage, &[(BoundName::Depth, 1)]);
    assert_eq!(explored.within, [(BoundName::Depth, 1)]);
    assert_eq!((counts(&explored).0, explored.worlds), (0, 3));
}

// As `unrest` says, 3 with the time step; without it 0 alone.
#[test]
fn time_steps_can_be_narrowed() {
    let set = Program::new().ask(timer_set(time().plus(3_000_000_000_u128))).reply();
    let stage = Theater::of(1).call(0, &set).more("[[time]]\nadvance = \"3s\"\n").stage();
    let number = |most| {
        let explored = explore(&stage, &[(BoundName::Time, most)]);
        (counts(&explored).0, explored.within)
    };
    assert_eq!(number(0), (1, vec![(BoundName::Time, 0)]));
    assert_eq!(number(1), (3, vec![]));
}

// The timer is due at once: 0 t1. Without a firing it is due for ever.
#[test]
fn timers_can_be_narrowed() {
    let set = Program::new().ask(timer_set(time())).reply();
    let stage = Theater::of(1).call(0, &set).stage();
    let narrow = explore(&stage, &[(BoundName::Timers, 0)]);
    assert_eq!((counts(&narrow).0, narrow.within), (0, vec![(BoundName::Timers, 0)]));
    let wide = explore(&stage, &[(BoundName::Timers, 1)]);
    assert_eq!((counts(&wide).0, wide.within), (1, vec![]));
}

#[test]
fn heartbeats_can_be_narrowed() {
    let wasm = std::fs::read(super::puppet::theater::module("puppet_tasks")).expect("it was built");
    let args = Program::new().set(0, 1_u128).reply().candid();
    let stage = Stage::of_modules(&[wasm], &call("e0", 0, "run", &format!("args = '{args}'")));
    let explored = explore(&stage, &[(BoundName::Heartbeats, 0)]);
    assert_eq!(explored.within, [(BoundName::Heartbeats, 0)]);
    let wide = explore(&stage, &[(BoundName::Heartbeats, 1)]);
    assert_eq!(wide.completeness, Completeness::Exhaustive);
    assert!(wide.worlds > explored.worlds);
}

// Both calls have to wait at once, which needs a switch.
const BOTH: &str =
    "[[invariant]]\nname = \"both\"\nwhen = \"sometimes\"\nexpr = 'count(open(\"w0\")) + count(open(\"w1\")) == 2'\n";

#[test]
fn what_is_not_seen_within_a_bound_is_inconclusive_and_not_violated() {
    let stage = stage(&distinct(2), BOTH);
    let verdict = |narrow: &[(BoundName, u32)]| Verdict::of(&stage.scenario(), &explore(&stage, narrow));
    assert_eq!(verdict(&[]), Verdict::Held);
    assert_eq!(verdict(&[(BoundName::Switches, 1)]), Verdict::Held);
    assert_eq!(verdict(&[(BoundName::Switches, 0)]), Verdict::Inconclusive);
    assert_eq!(verdict(&[(BoundName::InFlight, 1)]), Verdict::Inconclusive);
}

// In the end both have happened; within one call nothing is the end of that.
#[test]
fn narrowing_the_calls_makes_nothing_final_that_is_not() {
    let both =
        "[[invariant]]\nname = \"both\"\nwhen = \"final\"\nexpr = 'count(done(\"w0\")) + count(done(\"w1\")) == 2'\n";
    let stage = stage(&distinct(2), both);
    for (name, most, number) in [(BoundName::Calls, 1, 2), (BoundName::Calls, 2, 14), (BoundName::InFlight, 1, 2)] {
        let explored = explore(&stage, &[(name, most)]);
        assert_eq!(Verdict::of(&stage.scenario(), &explored), Verdict::Held, "{name:?}");
        assert_eq!(counts(&explored).0, number, "{name:?}");
    }
}

#[test]
fn a_violation_within_a_bound_is_a_violation() {
    let stage = stage(&distinct(2), ORDER);
    let explored = explore(&stage, &[(BoundName::Switches, 0)]);
    assert_eq!(explored.completeness, Completeness::Within);
    assert_eq!(Verdict::of(&stage.scenario(), &explored), Verdict::Violated);
}

#[test]
fn bounds_can_only_be_narrowed() {
    let mut scenario = stage(&distinct(2), "[explore]\nswitches = 2\n").scenario();
    let own = Bounds { switches: Some(2), ..scenario.bounds };
    assert_eq!((scenario.bounds, scenario.own_bounds), (own, own));
    for (name, asked, own) in
        [(BoundName::Calls, 3, 2), (BoundName::Faults, 1, 0), (BoundName::Switches, 3, 2), (BoundName::Time, 1, 0)]
    {
        assert_eq!(scenario.narrow(name, asked), Err(BoundError::Wider { name, asked, own }));
    }
    assert_eq!(scenario.narrow(BoundName::Calls, 0), Err(BoundError::Nothing { name: BoundName::Calls, asked: 0 }));
    assert_eq!(scenario.narrow(BoundName::Calls, 1), Ok(()));
    assert_eq!((scenario.bounds, scenario.own_bounds), (Bounds { calls: 1, ..own }, own));
    let mut free = stage(&distinct(2), "").scenario();
    assert_eq!(free.narrow(BoundName::Switches, 65), Err(BoundError::Uncounted { asked: 65 }));
}

#[test]
fn a_search_that_ends_early_says_what_it_has_finished() {
    let scenario = stage(&distinct(2), "[explore]\nswitches = 2\n").scenario();
    let mut engine = stage(&distinct(2), "[explore]\nswitches = 2\n").open();
    let budget = Budget { time: Some(Duration::ZERO), ..Budget::default() };
    let explored = search(&mut engine, &budget, &mut |_| {}).expect("all is offered");
    assert_eq!((explored.completeness, explored.unfinished), (Completeness::Budget, Some((0, 0, 0))));
    for (unfinished, line) in [
        ((0, 0, 0), None),
        ((0, 2, 0), Some("finished: 0 faults and up to 1 call")),
        ((0, 2, 1), Some("finished: 0 faults and up to 1 call; 0 faults, 2 calls and up to 0 context switches")),
        ((1, 0, 0), Some("finished: 0 faults")),
        ((1, 3, 0), Some("finished: 0 faults; 1 fault and up to 2 calls")),
        (
            (2, 1, 2),
            Some("finished: up to 1 fault; 2 faults and up to 0 calls; 2 faults, 1 call and up to 1 context switch"),
        ),
    ] {
        let explored = Explored { unfinished: Some(unfinished), ..explored.clone() };
        let text = summary(&scenario, &explored);
        assert_eq!(text.lines().find(|line| line.starts_with("finished")), line, "{unfinished:?}");
    }
    assert_eq!(explore(&stage(&distinct(2), ""), &[]).unfinished, None);
}

// Both have started, in this order, and 0.1 has run: only whose turn it is differs.
#[test]
fn whose_turn_it_is_tells_worlds_apart_only_where_switches_are_bounded() {
    let worlds = |rest: &str| {
        let mut play = Play::new(&stage(&distinct(2), rest));
        let mut after = |steps: &str| {
            play.rewind();
            play.steps(steps);
            (play.world.clone(), play.bytes(), play.engine.kernel.fingerprint(&play.world))
        };
        (after("0 0.1 1"), after("0 1 0.1"))
    };
    let (one, other) = worlds("");
    assert_eq!(one, other);
    let (one, other) = worlds("[explore]\nswitches = 3\n");
    assert_eq!(one.0.turns, Some(Turns { last: Some(1), switches: 1 }));
    assert_eq!(other.0.turns, Some(Turns { last: Some(0), switches: 1 }));
    assert_eq!(World { turns: other.0.turns, ..one.0.clone() }, other.0);
    assert!(one.1 != other.1 && one.2 != other.2, "their bytes and fingerprints differ");
}
