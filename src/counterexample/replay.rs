//! Makes the steps of a schedule one by one and checks one invariant after each.
//!
//! In: an installed scenario and a schedule. Out: the trace; or a divergence with the rule that is in the way.

use crate::engine::embedded::Embedded;
use crate::invariant::{Before, Broken};
use crate::kernel::{CONTRADICTION, Refusal, Unsupported, World};
use crate::oracle;
use crate::scenario::Value;
use crate::schedule::{Schedule, Step};
use crate::trace::Trace;

use super::describe::describe;

/// Why a replay ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A step cannot be made: the canisters do not do what they did.
    #[error("divergence at step {number} (`{step}`): {refusal}; possible here: {}", possible.join(" "))]
    Divergence {
        /// Position, from 1.
        number: usize,
        /// The step.
        step: Box<Step>,
        /// Why not.
        refusal: Refusal,
        /// Names of the steps that could be made.
        possible: Vec<String>,
    },
    /// The same steps, made again with nothing remembered, led elsewhere: no statement about the canisters can be trusted.
    #[error("divergence at step {number} (`{step}`): made a second time, it led to another world; {CONTRADICTION}")]
    NotRepeatable {
        /// Position, from 1.
        number: usize,
        /// The step.
        step: Box<Step>,
    },
    /// Something the engine does not offer was met.
    #[error("{0}")]
    Unsupported(#[from] Unsupported),
}

/// What a replay found.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// What happened.
    pub trace: Trace,
    /// First step, from 0 for the start, after which the invariant asked for was violated, and why it could not be
    /// evaluated if so.
    pub violated: Option<(usize, Option<String>)>,
    /// The values in the violated expression.
    pub values: Vec<(String, Value)>,
}

/// Makes the steps of a schedule, one by one, and checks one invariant after each.
///
/// # Errors
/// If a step is not possible, or the engine cannot tell what the IC would do.
pub fn replay(engine: &mut Embedded, schedule: &Schedule, invariant: Option<usize>) -> Result<Replayed, ReplayError> {
    let mut world = engine.start().clone();
    let names = engine.scenario.observed_names();
    let start = engine.observe(&world)?;
    let mut replayed =
        Replayed { trace: Trace { names, start, events: Vec::new() }, violated: None, values: Vec::new() };
    check(engine, &world, invariant, &mut replayed)?;
    for (at, step) in schedule.steps.iter().enumerate() {
        let choice = engine.kernel.find(&world, step).map_err(|refusal| {
            let mut choices = Vec::new();
            // What cannot be told does not matter here: the divergence is reported either way.
            let _ = engine.kernel.choices(&world, &mut choices);
            let possible = choices.iter().map(|choice| engine.kernel.name(&world, choice).to_string()).collect();
            ReplayError::Divergence { number: at + 1, step: Box::new(step.clone()), refusal, possible }
        })?;
        let (next, happened) = engine.kernel.apply(&world, &choice)?;
        let mut event = describe(engine, &world, &next, step, &choice, &happened);
        event.observations = engine.observe(&next)?;
        replayed.trace.push(event);
        check_step(engine, &world, &next, invariant, &mut replayed)?;
        world = next;
        check(engine, &world, invariant, &mut replayed)?;
    }
    Ok(replayed)
}

/// Replays a schedule twice, the second time with fresh instances and no execution remembered, and compares the traces.
///
/// # Errors
/// As [`replay`]; and if the two differ.
pub fn replay_twice(
    engine: &mut Embedded,
    schedule: &Schedule,
    invariant: Option<usize>,
) -> Result<Replayed, ReplayError> {
    let replayed = replay(engine, schedule, invariant)?;
    let mut fresh = engine.fork();
    fresh.kernel.forget_executions();
    let again = match replay(&mut fresh, schedule, invariant) {
        Err(ReplayError::Divergence { number, step, .. }) => return Err(ReplayError::NotRepeatable { number, step }),
        other => other?,
    };
    match replayed.trace.first_difference(&again.trace) {
        None => Ok(replayed),
        Some(at) => {
            let step = Box::new(schedule.steps[at].clone());
            Err(ReplayError::NotRepeatable { number: at + 1, step })
        }
    }
}

fn check_step(
    engine: &mut Embedded,
    world: &World,
    next: &World,
    invariant: Option<usize>,
    replayed: &mut Replayed,
) -> Result<(), Unsupported> {
    let Some(position) = invariant.filter(|_| replayed.violated.is_none()) else { return Ok(()) };
    let Some(before) = Before::of(engine, world)? else { return Ok(()) };
    let broken = before.broken(engine, next)?.into_iter().find(|broken| broken.invariant == position);
    if let Some(Broken { error, values, .. }) = broken {
        replayed.violated = Some((replayed.trace.events.len(), error));
        replayed.values = values;
    }
    Ok(())
}

fn check(
    engine: &mut Embedded,
    world: &World,
    invariant: Option<usize>,
    replayed: &mut Replayed,
) -> Result<(), Unsupported> {
    let Some(position) = invariant.filter(|_| replayed.violated.is_none()) else { return Ok(()) };
    let Some((_, error)) = oracle::violated_in(engine, world, Some(position))?.pop() else { return Ok(()) };
    let observations = engine.observe(world)?;
    let calls = engine.calls(world);
    let view = engine.view(world, &observations, &calls);
    replayed.violated = Some((replayed.trace.events.len(), error));
    replayed.values = engine.scenario.invariants[position].expr().map_or_else(Vec::new, |expr| expr.values(&view));
    Ok(())
}
