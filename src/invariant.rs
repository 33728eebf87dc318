//! Verdicts on invariants: when one applies to a world, and whether it holds there.
//!
//! In: an invariant and what an expression sees of a world. Out: a [`Violation`] or none. Whether the exploration as a whole
//! is held or violated is decided in `report`.

mod step;

pub use step::{Before, Broken};

use crate::scenario::{Invariant, View, When};

/// An invariant does not hold in a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Why the expression could not be evaluated, if it could not: an observation failed, a division by zero.
    pub error: Option<String>,
}

/// Whether an invariant is violated in a world. `complete`: nothing must happen any more and no call can begin.
pub fn violation(invariant: &Invariant, view: &View<'_>, complete: bool) -> Option<Violation> {
    let applies = match invariant.when {
        When::Always => true,
        When::Quiescent => view.quiet,
        When::Final => complete,
        When::Step | When::Sometimes => false,
    };
    if !applies {
        return None;
    }
    verdict(invariant.expr.eval(view))
}

/// Whether an invariant of steps is violated by the step from the world `before` to the world of `view`.
pub fn step_violation(invariant: &Invariant, before: &View<'_>, view: &View<'_>) -> Option<Violation> {
    if invariant.when != When::Step {
        return None;
    }
    verdict(invariant.expr.eval_step(before, view))
}

fn verdict(holds: Result<bool, String>) -> Option<Violation> {
    match holds {
        Ok(true) => None,
        Ok(false) => Some(Violation { error: None }),
        Err(error) => Some(Violation { error: Some(error) }),
    }
}

/// Whether a `sometimes` is seen in a world.
pub fn is_seen(invariant: &Invariant, view: &View<'_>) -> bool {
    invariant.when == When::Sometimes && invariant.expr.eval(view) == Ok(true)
}
