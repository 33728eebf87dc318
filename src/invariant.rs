//! Verdicts on invariants: when one applies to a world, and whether it holds there.
//!
//! In: an invariant and what an expression sees of a world. Out: a [`Violation`] or none. Whether the exploration as a whole
//! is held or violated is decided in `report`.

mod step;

pub use step::{Before, Broken};

use crate::scenario::{Expr, Invariant, View, When};

/// An invariant does not hold in a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Why the expression could not be evaluated, if it could not (an observation failed, a division by zero), or what an
    /// oracle says.
    pub error: Option<String>,
}

/// Whether an invariant with this expression is violated in a world. `complete`: nothing must happen any more and no call can
/// begin.
pub fn violation(invariant: &Invariant, expr: &Expr, view: &View<'_>, complete: bool) -> Option<Violation> {
    if !applies(invariant.when, view, complete) {
        return None;
    }
    verdict(expr.eval(view))
}

/// Whether an invariant of steps is violated by the step from the world `before` to the world of `view`.
pub fn step_violation(invariant: &Invariant, before: &View<'_>, view: &View<'_>) -> Option<Violation> {
    let expr = invariant.expr().filter(|_| invariant.when == When::Step)?;
    verdict(expr.eval_step(before, view))
}

fn verdict(holds: Result<bool, String>) -> Option<Violation> {
    match holds {
        Ok(true) => None,
        Ok(false) => Some(Violation { error: None }),
        Err(error) => Some(Violation { error: Some(error) }),
    }
}

/// Whether a world is one of those in which an invariant must hold.
pub fn applies(when: When, view: &View<'_>, complete: bool) -> bool {
    match when {
        When::Always => true,
        When::Quiescent => view.quiet,
        When::Final => complete,
        When::Step | When::Sometimes => false,
    }
}

/// Whether a `sometimes` is seen in a world.
pub fn is_seen(invariant: &Invariant, view: &View<'_>) -> bool {
    invariant.when == When::Sometimes && invariant.expr().is_some_and(|expr| expr.eval(view) == Ok(true))
}
