//! The rounds of a replica: which steps a script comes to, and which script a counterexample comes to.
//!
//! `order` plays scripts of puppets; `classes` looks for scripts for the counterexamples of the corpus.

mod classes;
mod driver;
mod order;

use canloom::counterexample::replay;
use canloom::engine::embedded::Embedded;
use canloom::kernel::World;
use canloom::rounds::{self, Aim, PlayedScript, Stuck};
use canloom::schedule::{Schedule, Step};
use canloom::script::Script;

/// Names of steps, with a space between them.
fn names(steps: &[Step]) -> String {
    steps.iter().map(Step::to_string).collect::<Vec<_>>().join(" ")
}

/// Plays a script. Out: the last world, and the steps with a line between operations that came to some. They must replay.
fn played(engine: &mut Embedded, script: &str, aim: Aim) -> (World, String) {
    let (world, steps) = try_to_play(engine, script, aim).unwrap_or_else(|(at, stuck)| panic!("line {at}: {stuck}"));
    assert_replays(engine, steps.concat());
    let lines: Vec<String> = steps.iter().filter(|steps| !steps.is_empty()).map(|steps| names(steps)).collect();
    (world, lines.join(" | "))
}

/// Why a script cannot be played, with the position of the operation, from 0.
fn refused(engine: &mut Embedded, script: &str, aim: Aim) -> (usize, String) {
    match try_to_play(engine, script, aim) {
        Ok((_, steps)) => panic!("{script} comes to {}", names(&steps.concat())),
        Err((at, stuck)) => (at, stuck.to_string()),
    }
}

fn try_to_play(engine: &mut Embedded, script: &str, aim: Aim) -> Result<PlayedScript, (usize, Stuck)> {
    engine.kernel.tell_calls_apart();
    let script: Script = script.replace("; ", "\n").parse().unwrap_or_else(|error| panic!("{script}: {error}"));
    rounds::play(engine, &script, Vec::new(), aim)
}

/// The steps are legal on the IC, in this order.
fn assert_replays(engine: &mut Embedded, steps: Vec<Step>) {
    let schedule = Schedule { steps };
    replay(engine, &schedule, None).unwrap_or_else(|error| panic!("{}: {error}", names(&schedule.steps)));
}
