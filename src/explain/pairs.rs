//! Pairs of deliveries whose order matters.
//!
//! In: a schedule that violates an invariant. Out: the pairs of steps on one canister of which this is true: made the other way
//! round, with everything else in its order, there is no violation.

use crate::counterexample::awaits::acts_on;
use crate::counterexample::play::{Item, Play, play};
use crate::engine::embedded::Embedded;
use crate::kernel::Unsupported;

/// Steps beyond which pairs are not tried: they grow with the square, and each is followed to its end.
const STEPS_MAX: usize = 80;

/// Two steps, from 0, the earlier one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The one that comes first in the counterexample.
    pub first: usize,
    /// The one that comes after it, and could have come before.
    pub second: usize,
}

/// Flips each pair alone.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub(super) fn pairs(engine: &mut Embedded, invariant: usize, played: &Play) -> Result<Vec<Pair>, Unsupported> {
    let mut found = Vec::new();
    if played.made.len() > STEPS_MAX {
        return Ok(found);
    }
    for second in 1..played.made.len() {
        for first in 0..second {
            let canister = acts_on(engine, &played.made[first]);
            let is_on_one = canister.is_some() && canister == acts_on(engine, &played.made[second]);
            if !is_on_one || played.follows(second, first) {
                continue;
            }
            let items = flipped(played, first, second);
            if !play(engine, &items, Some(invariant), Some(invariant))?.violates(invariant) {
                found.push(Pair { first, second });
            }
        }
    }
    // A flip that only helps because it flips another pair on the way says nothing of its own.
    let all = found.clone();
    found.retain(|pair| {
        let (moved, left) = divided(played, pair.first, pair.second);
        let carries = |other: &Pair| other != pair && left.contains(&other.first) && moved.contains(&other.second);
        !all.iter().any(carries)
    });
    Ok(found)
}

/// The steps from one to another one: those that lead to the second, itself included, and the others.
fn divided(played: &Play, first: usize, second: usize) -> (Vec<usize>, Vec<usize>) {
    (first..=second).partition(|at| *at == second || played.follows(second, *at))
}

/// The schedule with one step, and what leads to it, made before another one.
fn flipped(played: &Play, first: usize, second: usize) -> Vec<Item> {
    let (moved, left) = divided(played, first, second);
    let order = (0..first).chain(moved).chain(left).chain(second + 1..played.made.len());
    let mut items: Vec<Item> = order.map(|at| Item::Step(played.made[at].step.clone())).collect();
    items.push(Item::Settle(None));
    items
}
