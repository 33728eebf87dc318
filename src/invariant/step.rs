//! Invariants of steps: what is seen before a step and what is seen after it.
//!
//! In: a world, and the worlds that its steps lead to. Out: which invariants a step violates. A violation belongs to the step:
//! another step to the same world may keep the invariant.

use std::sync::Arc;

use super::{Violation, step_violation};
use crate::engine::embedded::Embedded;
use crate::kernel::{Unsupported, World};
use crate::scenario::{CallView, Value, When};

/// A world, looked at for the steps that leave it.
pub struct Before<'w> {
    world: &'w World,
    observations: Vec<Arc<Value>>,
    calls: Vec<CallView>,
}

/// A step that violates an invariant.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Position of the invariant in the scenario.
    pub invariant: usize,
    /// Why it could not be evaluated, if it could not.
    pub error: Option<String>,
    /// What its expression reads, before and after the step.
    pub values: Vec<(String, Value)>,
}

impl<'w> Before<'w> {
    /// Looks at a world; `None` if the scenario says nothing about steps.
    ///
    /// # Errors
    /// If an observation asks for something that the engine does not offer; likewise below.
    pub fn of(engine: &mut Embedded, world: &'w World) -> Result<Option<Before<'w>>, Unsupported> {
        if engine.scenario.invariants.iter().all(|invariant| invariant.when != When::Step) {
            return Ok(None);
        }
        Ok(Some(Before { world, observations: engine.observe(world)?, calls: engine.calls(world) }))
    }

    /// Whether a step from one world to another violates an invariant of steps, by position.
    ///
    /// # Errors
    /// As [`Before::of`].
    pub fn breaks(
        before: Option<&Before<'_>>,
        engine: &mut Embedded,
        next: &World,
        invariant: usize,
    ) -> Result<bool, Unsupported> {
        let Some(before) = before else { return Ok(false) };
        Ok(before.broken(engine, next)?.iter().any(|broken| broken.invariant == invariant))
    }

    /// The invariants that a step to this world violates, in the order of the scenario.
    pub fn broken(&self, engine: &mut Embedded, next: &World) -> Result<Vec<Broken>, Unsupported> {
        let observations = engine.observe(next)?;
        let calls = engine.calls(next);
        let before = engine.view(self.world, &self.observations, &self.calls);
        let after = engine.view(next, &observations, &calls);
        let invariants = engine.scenario.invariants.iter().enumerate();
        let broken = invariants.filter_map(|(at, invariant)| {
            let Violation { error } = step_violation(invariant, &before, &after)?;
            let values = invariant.expr().map_or_else(Vec::new, |expr| expr.values_of_step(&before, &after));
            Some(Broken { invariant: at, error, values })
        });
        Ok(broken.collect())
    }
}
