//! Replays what is left of a schedule on canisters that no longer do what they did.
//!
//! In: an installed scenario and a schedule that was made on other modules. Out: the trace. A canister that was corrected does
//! not send all the requests that it sent, so steps that are not possible are left out, and whatever is in flight in the end
//! is delivered, first in first out: only then can it be said that an invariant holds now.

use crate::engine::embedded::Embedded;
use crate::schedule::Schedule;

use super::play::{Item, items, play};
use super::{ReplayError, Replayed, replay};

/// Makes the steps that are possible and settles the rest; checks one invariant, by position, after each.
///
/// # Errors
/// If the engine cannot tell what the IC would do.
pub fn lenient(engine: &mut Embedded, schedule: &Schedule, invariant: Option<usize>) -> Result<Replayed, ReplayError> {
    let mut wanted = items(&schedule.steps);
    wanted.push(Item::Settle(None));
    let played = play(engine, &wanted, invariant, invariant)?;
    replay(engine, &Schedule { steps: played.steps() }, invariant)
}
