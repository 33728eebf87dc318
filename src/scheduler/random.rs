//! `random`: orders of messages that are as even as can be over all interleavings.

use std::sync::Arc;

use super::{Experience, Generator, Offer, Scheduler};

/// Random walk in which a chain's chance grows with what is left of it.
///
/// An even choice among the possible messages favours orders in which short calls end early: a call of two messages
/// against one of eight is over before the long one has made three. The number of ways to go on after the next message of
/// chain i is a multinomial coefficient of what is left of each chain, so choosing chain i with probability n_i / sum(n)
/// makes all interleavings of independent chains equally likely. This is URW of H. Zhao, D. Wolff, U. Mathur,
/// A. Roychoudhury: "Selectively Uniform Concurrency Testing", ASPLOS 2025.
///
/// 1. A chain is a call or a task with everything that it causes.
/// 2. n_i is expected, not known: the mean of what was left of chains of the same family with as much progress.
/// 3. Of several possible messages of the chosen chain, one is drawn evenly.
///
/// Deviations: lengths are learned during the run instead of given, so the first batches are less even. Chains that are
/// not possible now (behind another in a queue, after another call) are passed over, and requests made together within one
/// chain are drawn evenly; both bias the result, as blocking does in the paper. The selective variant is not there.
#[derive(Debug, Default)]
pub struct Random {
    seed: u64,
    generator: Generator,
    experience: Arc<Experience>,
    made: Vec<u32>,
    weights: Vec<(u32, u64)>,
}

impl Random {
    /// A scheduler of this seed.
    pub fn new(seed: u64) -> Random {
        Random { seed, ..Random::default() }
    }
}

impl Scheduler for Random {
    fn begin(&mut self, schedule: u64, experience: &Arc<Experience>) {
        self.generator = Generator::new(self.seed, schedule, 0);
        self.experience = experience.clone();
        self.made.fill(0);
    }

    fn next(&mut self, messages: &[Offer]) -> usize {
        self.weights.clear();
        for offer in messages {
            if self.weights.iter().any(|&(chain, _)| chain == offer.chain) {
                continue;
            }
            let made = self.made.get(offer.chain as usize).copied().unwrap_or(0);
            let weight = self.experience.remaining(offer.family, made) * u64::from(offer.multiplicity);
            self.weights.push((offer.chain, weight));
        }
        let sum = self.weights.iter().map(|&(_, weight)| weight).sum();
        let mut drawn = self.generator.below(sum);
        let chosen = self.weights.iter().find(|&&(_, weight)| {
            let is_here = drawn < weight;
            drawn = drawn.wrapping_sub(weight);
            is_here
        });
        let chain = chosen.expect("bug in canloom: drawn below the sum").0;
        if self.made.len() <= chain as usize {
            self.made.resize(chain as usize + 1, 0);
        }
        self.made[chain as usize] += 1;
        let of_chain = || messages.iter().enumerate().filter(|(_, offer)| offer.chain == chain);
        let drawn = self.generator.below(of_chain().count() as u64) as usize;
        of_chain().nth(drawn).expect("bug in canloom: the chain has a message").0
    }
}
