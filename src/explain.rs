//! Why a counterexample violates its invariant.
//!
//! In: a schedule and its replay. Out: an [`Explanation`]: the await at which state went stale, with its place in the source; the
//! pairs of deliveries whose order matters; how likely the violation is from each step on; and all that in two sentences. What
//! is said is tried out: an await or a pair is only named if there is no violation without it ([`Guilty`]).

mod pairs;
mod share;
mod source;
mod words;

use num_traits::Zero;

use crate::counterexample::awaits::{Guilty, guilty};
use crate::counterexample::play::{items, play};
use crate::counterexample::{Cause, Replayed};
use crate::engine::embedded::Embedded;
use crate::kernel::{Unsupported, World};
use crate::schedule::Schedule;

pub use pairs::Pair;
pub use share::Share;
pub use source::Place;

/// Why a counterexample violates its invariant.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The awaits that the violation hangs on, the most telling one first.
    pub guilty: Vec<Guilty>,
    /// Where the first of them is in the source, if its module says it.
    pub place: Option<Place>,
    /// Pairs of steps whose order matters.
    pub pairs: Vec<Pair>,
    /// The share of the interleavings that come to a violation: before the first step, and after each; `None` where there is too
    /// much to count.
    pub shares: Option<Vec<Share>>,
    /// What happens, in two sentences.
    pub sentences: Vec<String>,
}

/// Explains a violation of an invariant, by position; `None` if the schedule does not violate it.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn explain(
    engine: &mut Embedded,
    invariant: usize,
    schedule: &Schedule,
    replayed: &Replayed,
) -> Result<Option<Explanation>, Unsupported> {
    let played = play(engine, &items(&schedule.steps), Some(invariant), Some(invariant))?;
    if !played.violates(invariant) {
        return Ok(None);
    }
    let guilty = guilty(engine, invariant, &played)?;
    let pairs = pairs::pairs(engine, invariant, &played)?;
    let mut worlds: Vec<World> = played.made.iter().map(|made| made.before.clone()).collect();
    worlds.push(played.last.clone());
    // A value that the search does not try is no interleaving of it.
    let own = engine.kernel.calls().len();
    let is_untried = (0..own).any(|call| engine.kernel.is_untried(call, played.last.trees[call]));
    let shares = if is_untried { None } else { share::shares(engine, invariant, &worlds)? };
    let shares = shares.filter(|shares| shares.iter().all(|share| !share.all.is_zero()));
    let first = &guilty[0];
    let request = first.sent.and_then(|sent| {
        let delivery = played.made[sent].happened.delivery()?;
        let back = first.back.map(|back| &played.made[back].step.path);
        let is_it = |n: &usize| {
            let path = played.made[sent].step.path.request(*n as u32 + 1);
            back.is_none_or(|back| *back == path.response())
        };
        Some((sent, (0..delivery.effects.sent.len()).find(is_it)?))
    });
    let place = request.and_then(|(sent, request)| source::place(engine, schedule, sent, request));
    let sentences = words::sentences(engine, invariant, replayed, first, place.as_ref());
    Ok(Some(Explanation { guilty, place, pairs, shares, sentences }))
}

impl Explanation {
    /// The steps, from 0, that ran while the first await was open and without which there is no violation; empty if it is no race.
    pub fn between(&self) -> &[usize] {
        match &self.guilty[0].cause {
            Cause::Race(between) | Cause::Reentry(between) => between,
            Cause::Fault(_) | Cause::Last => &[],
        }
    }
}
