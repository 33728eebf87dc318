//! Whether an invariant is violated in a world, as a replay would say at its end; each world is judged once.

use std::collections::HashMap;

use crate::engine::embedded::Embedded;
use crate::invariant::Before;
use crate::kernel::intern::content_hash;
use crate::kernel::{Unsupported, World};
use crate::oracle;
use crate::scenario::When;

/// Verdicts on one invariant.
pub(super) struct Verdicts {
    invariant: usize,
    known: HashMap<u128, bool>,
}

impl Verdicts {
    /// None yet.
    pub fn new(invariant: usize) -> Verdicts {
        Verdicts { invariant, known: HashMap::new() }
    }

    /// Whether it is violated in a world that so many steps lead to from the world before; an invariant of steps, whether one
    /// step violates it.
    pub fn is_violated(
        &mut self,
        engine: &mut Embedded,
        before: &World,
        world: &World,
        steps: usize,
    ) -> Result<bool, Unsupported> {
        if engine.scenario.invariants[self.invariant].when == When::Step {
            if steps != 1 {
                return Ok(false);
            }
            let Some(seen) = Before::of(engine, before)? else { return Ok(false) };
            return Ok(seen.broken(engine, world)?.iter().any(|broken| broken.invariant == self.invariant));
        }
        let key = content_hash(world);
        if let Some(&verdict) = self.known.get(&key) {
            return Ok(verdict);
        }
        let verdict = self.judge(engine, world)?;
        self.known.insert(key, verdict);
        Ok(verdict)
    }

    fn judge(&self, engine: &mut Embedded, world: &World) -> Result<bool, Unsupported> {
        let observations = engine.observe(world)?;
        let calls = engine.calls(world);
        let view = engine.view(world, &observations, &calls);
        let scenario = engine.scenario.clone();
        let mut choices = Vec::new();
        engine.kernel.choices(world, &mut choices)?;
        let is_final = engine.kernel.is_complete(world, &choices) && !engine.kernel.cuts(world)?.a_start();
        let invariant = &scenario.invariants[self.invariant];
        Ok(oracle::violation(engine, world, &view, is_final, invariant)?.is_some())
    }
}
