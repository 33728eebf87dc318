//! `pct`: few changes of priority, for bugs that need few ordering constraints.

use std::sync::Arc;

use super::{Experience, Generator, Offer, Scheduler};

/// Most ordering constraints that a schedule aims at.
const DEPTH_MAX: u64 = 4;
/// Priorities of chains have this bit, those of change points do not.
const HIGH: u64 = 1 << 63;

/// Probabilistic concurrency testing over chains of messages: B. Kulahcioglu Ozkan, R. Majumdar, F. Niksic, M. Tabaei
/// Befrouei, G. Weissenbacher: "Randomized Testing of Distributed Systems with Probabilistic Guarantees", OOPSLA 2018
/// (PCTCP); the idea is that of S. Burckhardt, P. Kothari, M. Musuvathi, S. Nagarakatte: "A Randomized Scheduler with
/// Probabilistic Guarantees of Finding Bugs", ASPLOS 2010.
///
/// 1. Messages are divided into chains online. A message extends a chain whose last message is among its causes; if there
///    is none, it begins one. Its cause is the message after which it became possible; the start of a call or a task has none.
/// 2. A chain draws a priority when it begins. The possible message of the highest chain is next.
/// 3. d - 1 times in a schedule, at drawn positions, the chain whose turn it is drops below all others instead.
///
/// A bug that needs d ordering constraints is found by a schedule with probability at least 1 / (w^2 n^(d-1)), for n messages
/// and w concurrent chains.
///
/// Deviations: d is drawn from 1 to 4 for each schedule, since nobody knows it. n is the length of the longest schedule so
/// far. Chains are found first fit, without the paper's bound of w^2 on their number, so its guarantee is weaker where a
/// call sends several requests together. A start that stands for several interchangeable calls draws the highest of as
/// many priorities.
#[derive(Debug, Default)]
pub struct Pct {
    seed: u64,
    generator: Generator,
    chains: Vec<Chain>,
    /// Messages that are known and not made: event and chain.
    waiting: Vec<(u64, usize)>,
    /// Messages that were made: event, and position of the cause.
    made: Vec<(u64, Option<usize>)>,
    /// Causes of those that wait.
    causes: Vec<(u64, Option<usize>)>,
    /// Position at which priorities change, 1 first; the place in the list is the new priority.
    changes: Vec<u64>,
}

#[derive(Debug)]
struct Chain {
    last: u64,
    priority: u64,
}

impl Pct {
    /// A scheduler of this seed.
    pub fn new(seed: u64) -> Pct {
        Pct { seed, ..Pct::default() }
    }

    fn meet(&mut self, offer: &Offer) {
        if self.waiting.iter().any(|&(event, _)| event == offer.event) {
            return;
        }
        let cause = if offer.is_root { None } else { self.made.len().checked_sub(1) };
        let mut before = cause;
        let mut chain = None;
        while let Some(at) = before {
            chain = self.chains.iter().position(|chain| chain.last == self.made[at].0);
            before = if chain.is_some() { None } else { self.made[at].1 };
        }
        let chain = chain.unwrap_or_else(|| {
            let priority = self.generator.largest(offer.multiplicity) | HIGH;
            self.chains.push(Chain { last: offer.event, priority });
            self.chains.len() - 1
        });
        self.chains[chain].last = offer.event;
        self.waiting.push((offer.event, chain));
        self.causes.push((offer.event, cause));
    }

    /// Position of the possible message whose chain is highest, and that chain.
    fn highest(&self, messages: &[Offer]) -> (usize, usize) {
        let chain_of = |offer: &Offer| {
            let known = self.waiting.iter().find(|&&(event, _)| event == offer.event);
            known.expect("bug in canloom: a possible message is known").1
        };
        let chains = messages.iter().map(chain_of).enumerate();
        chains.max_by_key(|&(at, chain)| (self.chains[chain].priority, std::cmp::Reverse(at))).expect("one is possible")
    }
}

impl Scheduler for Pct {
    fn begin(&mut self, schedule: u64, experience: &Arc<Experience>) {
        self.generator = Generator::new(self.seed, schedule, 0);
        self.chains.clear();
        self.waiting.clear();
        self.made.clear();
        self.causes.clear();
        let changes = self.generator.below(DEPTH_MAX);
        let length = u64::from(experience.longest());
        self.changes.clear();
        for _ in 0..changes {
            self.changes.push(1 + self.generator.below(length));
        }
    }

    fn next(&mut self, messages: &[Offer]) -> usize {
        for offer in messages {
            self.meet(offer);
        }
        let position = self.made.len() as u64 + 1;
        let (mut at, mut chain) = self.highest(messages);
        for priority in 0..self.changes.len() {
            if self.changes[priority] == position {
                self.chains[chain].priority = priority as u64;
                (at, chain) = self.highest(messages);
            }
        }
        let event = messages[at].event;
        let waiting = self.waiting.iter().position(|&(other, _)| other == event).expect("bug in canloom: it is known");
        self.waiting.swap_remove(waiting);
        let (_, cause) = self.causes.swap_remove(waiting);
        self.made.push((event, cause));
        at
    }
}
