//! Makes the steps of a schedule one by one and checks one invariant after each.
//!
//! In: an installed scenario and a schedule. Out: the trace; or a divergence with the rule that is in the way.

use crate::engine::embedded::Embedded;
use crate::invariant::{Before, Broken};
use crate::kernel::{Refusal, Unsupported, World};
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
        replayed.trace.events.push(event);
        check_step(engine, &world, &next, invariant, &mut replayed)?;
        world = next;
        check(engine, &world, invariant, &mut replayed)?;
    }
    Ok(replayed)
}

pub(super) fn check_step(
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

pub(super) fn check(
    engine: &mut Embedded,
    world: &World,
    invariant: Option<usize>,
    replayed: &mut Replayed,
) -> Result<(), Unsupported> {
    let Some(position) = invariant.filter(|_| replayed.violated.is_none()) else { return Ok(()) };
    let observations = engine.observe(world)?;
    let calls = engine.calls(world);
    let view = engine.view(world, &observations, &calls);
    let scenario = engine.scenario.clone();
    let invariant = &scenario.invariants[position];
    let mut choices = Vec::new();
    engine.kernel.choices(world, &mut choices)?;
    let is_final = engine.kernel.is_complete(world, &choices) && !engine.kernel.cuts(world)?.a_start();
    let Some(violation) = oracle::violation(engine, world, &view, is_final, invariant)? else { return Ok(()) };
    replayed.violated = Some((replayed.trace.events.len(), violation.error));
    replayed.values = invariant.expr().map_or_else(Vec::new, |expr| expr.values(&view));
    Ok(())
}
