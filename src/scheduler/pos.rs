//! `pos`: partial order sampling.

use std::sync::Arc;

use super::{EVERYWHERE, Experience, Generator, Offer, Scheduler};

/// Partial Order Sampling: X. Yuan, J. Yang, R. Gu: "Partial Order Aware Concurrency Sampling", CAV 2018.
///
/// 1. Each message that becomes possible draws a priority.
/// 2. The possible message with the highest priority is next.
/// 3. All possible messages that race with it draw again. Two messages race if the same canister executes them: only then
///    does their order matter at once.
///
/// The order of messages that do not race has no influence on the order of those that do, so orders that differ in races
/// are sampled more evenly than by a random walk.
///
/// Deviations: the paper's threads have one next event each; here all requests of a call that were sent together are
/// possible at once, each with a priority of its own. A start that stands for several interchangeable calls draws the
/// highest of as many priorities. What the management canister does counts as racing with everything. Faults, time and
/// optional steps are decided apart (`Extras`).
#[derive(Debug, Default)]
pub struct Pos {
    seed: u64,
    generator: Generator,
    /// Possible messages with their priorities.
    priorities: Vec<(u64, u64)>,
}

impl Pos {
    /// A scheduler of this seed.
    pub fn new(seed: u64) -> Pos {
        Pos { seed, ..Pos::default() }
    }
}

impl Scheduler for Pos {
    fn begin(&mut self, schedule: u64, _: &Arc<Experience>) {
        self.generator = Generator::new(self.seed, schedule, 0);
        self.priorities.clear();
    }

    fn next(&mut self, messages: &[Offer]) -> usize {
        self.priorities.retain(|&(event, _)| messages.iter().any(|offer| offer.event == event));
        let mut best = (0, 0);
        for (at, offer) in messages.iter().enumerate() {
            let known = self.priorities.iter().find(|&&(event, _)| event == offer.event);
            let priority = known.map(|&(_, priority)| priority).unwrap_or_else(|| {
                let priority = self.generator.largest(offer.multiplicity);
                self.priorities.push((offer.event, priority));
                priority
            });
            if at == 0 || priority > best.1 {
                best = (at, priority);
            }
        }
        let next = messages[best.0];
        let races = |offer: &Offer| {
            offer.canister == next.canister || next.canister == EVERYWHERE || offer.canister == EVERYWHERE
        };
        self.priorities.retain(|&(event, _)| {
            let offer = messages.iter().find(|offer| offer.event == event);
            event != next.event && !offer.is_some_and(races)
        });
        best.0
    }
}
