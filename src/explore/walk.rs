//! A path through the graph as a schedule: the way into a violation.
//!
//! In: positions among the choices of each world on the way. Out: a [`Finding`], whose steps have the names that the calls
//! have outside the search, where interchangeable ones are told apart.

use super::ExploreError;
use super::checkpoint::CheckpointError;
use super::found::{Finding, Grade, Minimal};
use super::graph::Rank;
use super::look::{self, Successor};
use crate::engine::embedded::Embedded;
use crate::invariant::{Before, Broken};
use crate::kernel::{Permutation, Unsupported};
use crate::schedule::{Root, Schedule, Step};

/// The finding of an invariant, which is violated where this path ends.
pub(super) fn finding(
    engine: &mut Embedded,
    invariant: usize,
    rank: Rank,
    worlds: u64,
    path: &[u32],
) -> Result<Finding, ExploreError> {
    let Rank { faults, calls, switches, .. } = rank;
    let walked = walk(engine, path)?;
    let steps = &walked.schedule.steps;
    let in_world = walked.last.violated.into_iter().find(|(at, _)| *at == invariant).map(|(_, error)| error);
    let by_step = walked.broken.into_iter().find(|broken| broken.invariant == invariant).map(|broken| broken.error);
    Ok(Finding {
        invariant,
        calls: u32::from(calls),
        switches: engine.scenario.bounds.switches.map(|_| u32::from(switches)),
        deliveries: steps.iter().filter(|step| step.is_delivery()).count() as u32,
        faults: u32::from(faults),
        grade: Grade::of(steps, walked.callback_traps, u32::from(faults)),
        worlds,
        error: in_world.or(by_step).ok_or_else(|| not_there("a violation"))?,
        met: walked.met,
        also: Vec::new(),
        // The search takes worlds in order of simplicity.
        minimal: Minimal::Proved,
        schedule: walked.schedule,
        order: walked.order,
    })
}

/// The steps of a path through worlds in canonical form, with the names that the calls have outside the search.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub(crate) fn steps(engine: &mut Embedded, path: &[u32]) -> Result<Vec<Step>, Unsupported> {
    let mut world = engine.start().clone();
    let trees = world.trees.len();
    let mut moved = engine.kernel.canonicalize(&mut world).unwrap_or_else(|| Permutation::identity(trees));
    let mut choices = Vec::new();
    let mut steps = Vec::with_capacity(path.len());
    for &ordinal in path {
        engine.kernel.choices(&world, &mut choices)?;
        let choice = choices[ordinal as usize];
        let mut step = engine.kernel.name(&world, &choice);
        if let Root::Call(call) = &mut step.root {
            *call = moved.original(*call);
        }
        steps.push(step);
        world = engine.kernel.apply(&world, &choice)?.0;
        if let Some(next) = engine.kernel.canonicalize(&mut world) {
            moved = moved.then(&next);
        }
    }
    Ok(engine.kernel.in_order_of_start(steps))
}

/// The graph holds what is not there: somebody has made the checkpoint that it was read from.
fn not_there(what: &str) -> ExploreError {
    let text = format!("the checkpoint says that there is {what}, and there is none; delete its directory");
    CheckpointError::Input(text).into()
}

/// A path, as a schedule with the names that the calls have outside the search.
struct Walked {
    schedule: Schedule,
    order: Vec<(Rank, u32)>,
    /// Whether a callback traps on the way.
    callback_traps: bool,
    /// Invariants violated on the way, each with the rank where it is first.
    met: Vec<(usize, Rank)>,
    /// What is seen at its end.
    last: look::Look,
    /// Invariants of steps that its last step violates.
    broken: Vec<Broken>,
}

fn walk(engine: &mut Embedded, path: &[u32]) -> Result<Walked, ExploreError> {
    let mut world = engine.start().clone();
    let trees = world.trees.len();
    let first = engine.kernel.canonicalize(&mut world);
    let mut moved = first.unwrap_or_else(|| Permutation::identity(trees));
    let mut choices = Vec::new();
    let mut steps = Vec::new();
    let mut order = Vec::new();
    let mut callback_traps = false;
    let mut broken = Vec::new();
    let mut met = Vec::new();
    let mut rank = Successor::new(engine, &world, 0, 1).rank;
    for &ordinal in path {
        engine.kernel.choices(&world, &mut choices)?;
        look::look(engine, &world, &choices)?.add_met(rank, &mut met);
        let choice = *choices.get(ordinal as usize).ok_or_else(|| not_there("a step"))?;
        let mut step = engine.kernel.name(&world, &choice);
        if let Root::Call(call) = &mut step.root {
            *call = moved.original(*call);
        }
        steps.push(step);
        let (next, happened) = engine.kernel.apply(&world, &choice)?;
        let traps = happened.delivery().is_some_and(|delivery| delivery.effects.trap.is_some());
        callback_traps |= traps && steps.last().is_some_and(Step::runs_callback);
        if let Some(before) = Before::of(engine, &world)? {
            broken = before.broken(engine, &next)?;
        }
        world = next;
        if let Some(next) = engine.kernel.canonicalize(&mut world) {
            moved = moved.then(&next);
        }
        rank = Successor::new(engine, &world, order.len() as u32 + 1, 1).rank;
        order.push((rank, ordinal));
        look::add_met(broken.iter().map(|broken| broken.invariant), rank, &mut met);
    }
    engine.kernel.choices(&world, &mut choices)?;
    let last = look::look(engine, &world, &choices)?;
    last.add_met(rank, &mut met);
    let schedule = Schedule { steps: engine.kernel.in_order_of_start(steps) };
    Ok(Walked { schedule, order, callback_traps, met, last, broken })
}
