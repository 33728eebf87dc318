//! The counter of the corpus on a real server, by fixed scripts: what others see and do while `foo` waits for a slow canister.
//!
//! The slow canister burns more instructions than a round has room for, so the replica runs it for many rounds, in which calls
//! that are sent get in. A server is needed; without one the tests say that they are skipped.

use std::collections::BTreeMap;

use canloom::engine::allowance::Allowance;
use canloom::engine::pocket_ic::Server;
use canloom::engine::pocket_ic::drive::Driver;
use canloom::engine::pocket_ic::stage::Source;
use canloom::rounds::{Aim, Layout, Rounds};
use canloom::scenario::{Reply, Scenario, Value};
use canloom::script::{Op, Script};

use super::corpus;
use super::pocket_ic_server::server;

/// Rounds in which the call of the slow canister must have ended: it has 40 thousand million instructions at most, and a round
/// has room for 2 of them.
const ROUNDS_MAX: usize = 24;

/// What was seen of a script.
struct Played {
    /// X after each round.
    x: Vec<String>,
    /// What the first call was answered with.
    reply: Value,
}

fn source(name: &str) -> Source {
    let file = corpus::folder().join(name).join("scenario.toml");
    let scenario = Scenario::load(&file).unwrap_or_else(|error| panic!("{error}"));
    Source::new(&scenario, &Allowance::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Plays a script on a replica, and lets rounds pass until its first call is answered.
fn played(server: &Server, source: &mut Source, script: &str) -> (Played, Script) {
    let script: Script = script.replace("; ", "\n").parse().unwrap();
    let mut driver = Driver::new(server, source, &script, false).unwrap_or_else(|error| panic!("{error}"));
    for op in &script.ops {
        driver.play(op).unwrap_or_else(|error| panic!("{op}: {error}"));
    }
    let answered = |driver: &Driver| driver.seen.last().and_then(|(_, seen)| seen.replies[0].clone());
    for _ in 0..ROUNDS_MAX {
        if answered(&driver).is_some() {
            break;
        }
        driver.play(&Op::Tick { loaded: false }).unwrap_or_else(|error| panic!("{error}"));
    }
    let Some(Reply::Replied(reply, _)) = answered(&driver) else { panic!("{:?}", answered(&driver)) };
    let x = driver.seen[1..].iter().map(|(_, seen)| seen.observations[0].as_ref().expect("it is shown").to_string());
    (Played { x: x.collect(), reply }, driver.script)
}

/// X after each round as the model of the rounds has it.
fn thought(source: &mut Source, script: &Script) -> Vec<String> {
    let mut engine = source.open(&BTreeMap::new()).unwrap();
    engine.kernel.tell_calls_apart();
    let mut rounds = Rounds::new(Layout::new(&engine, script, Aim::PocketIc).unwrap());
    let mut world = engine.start().clone();
    let mut x = Vec::new();
    for op in &script.ops {
        world = rounds.play(&mut engine, &world, op).unwrap_or_else(|error| panic!("{op}: {error}")).0;
        if matches!(op, Op::Tick { .. }) {
            x.push(engine.observe(&world).unwrap()[0].to_string());
        }
    }
    x
}

/// Equal values in a row, counted.
fn runs(values: &[String]) -> Vec<(&str, usize)> {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((last, count)) if last == value => *count += 1,
            _ => runs.push((value, 1)),
        }
    }
    runs
}

#[test]
fn while_foo_waits_x_is_1_in_every_round_and_an_increment_gets_in_between() {
    let Some(server) = server("while_foo_waits_x_is_1_in_every_round_and_an_increment_gets_in_between") else { return };
    let mut source = source("counter");
    let script = format!("submit 0{}; submit 1", "; tick".repeat(10));
    let (Played { x, reply }, done) = played(&server, &mut source, &script);
    assert_eq!(reply, Value::Null);
    // In the first ten rounds nothing but foo has run, in the others the increment, too.
    assert_eq!(runs(&x), [("1", 10), ("2", 9), ("3", 1)]);
    assert_eq!(x, thought(&mut source, &done), "the model of the rounds knows in which of them b is done");
}

#[test]
fn foo_checked_replies_false_exactly_if_x_has_changed_in_between() {
    let Some(server) = server("foo_checked_replies_false_exactly_if_x_has_changed_in_between") else { return };
    let expected = [
        ("submit 0", true, "0"),
        ("submit 0; tick; submit 1", false, "1"),
        // The change is undone before foo_checked looks again.
        ("submit 0; tick; submit 1; tick; submit 2", true, "0"),
        // The increment is over before foo_checked begins.
        ("submit 1; tick; submit 0", true, "1"),
    ];
    let check = |(script, is_same, last): (&str, bool, &str)| {
        let (Played { x, reply }, _) = played(&server, &mut source("counter-check"), script);
        assert_eq!((reply, x.last().map(String::as_str)), (Value::Bool(is_same), Some(last)), "{script}");
    };
    std::thread::scope(|scope| {
        let (some, others) = expected.split_at(2);
        scope.spawn(|| some.iter().copied().for_each(check));
        scope.spawn(|| others.iter().copied().for_each(check));
    });
}
