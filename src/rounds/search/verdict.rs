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
            let seen = Before::of(engine, before)?;
            return Before::breaks(seen.as_ref(), engine, world, self.invariant);
        }
        let key = content_hash(world);
        if let Some(&verdict) = self.known.get(&key) {
            return Ok(verdict);
        }
        let verdict = !oracle::violated_in(engine, world, Some(self.invariant))?.is_empty();
        self.known.insert(key, verdict);
        Ok(verdict)
    }
}
