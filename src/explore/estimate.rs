//! How many worlds an exhaustive search still has before it, as far as that can be told.
//!
//! In: the rank of each world that is found, and again when it is expanded. Out: an estimate of those that are not expanded
//! yet, found or not; or none.
//!
//! The search finishes one level after the other: all worlds with so many faults and so many calls started. Sizes of
//! finished levels grow regularly, because one more call is combined with all progress of the others. So:
//!
//! 1. The size of a level is divided by the number of sets of calls that can have started there, equal calls not told apart;
//!    a call that chooses among arguments counts once for each that it may have at first.
//! 2. Growth from one level to the next is extrapolated with the trend of the growth before. With f faults, it is that of
//!    the finished level with one fault less, corrected by how it fared at the last level.
//! 3. No level is smaller than what was found of it.
//!
//! Random walks (Knuth 1975) estimate the size of a tree, and the graph of merged worlds is smaller than the tree of orders
//! by a factor that grows with it. They are of no use here. What this misses: calls that are much longer than the
//! others, bounds that cut the last levels. The measured error is in docs/sampling.md.

use std::collections::BTreeMap;

use super::graph::Rank;
use crate::engine::embedded::Embedded;

/// Levels with calls that must be finished before there is an estimate: two ratios, and so a trend.
const LEVELS_MIN: usize = 3;
/// Levels smaller than this say nothing about growth.
const WORLDS_MIN: f64 = 4.0;

/// In how many ways so many equal calls choose among so many arguments.
fn choices_of(arguments: usize, calls: usize) -> f64 {
    (0..calls).map(|n| (arguments + n) as f64 / (n + 1) as f64).product()
}

/// Sizes of the levels.
#[derive(Debug)]
pub struct Levels {
    /// Worlds found and expanded, by faults and calls.
    worlds: BTreeMap<(u16, u16), (u64, u64)>,
    /// By number of calls: how many sets of calls there are, equal calls not told apart.
    sets: Vec<f64>,
    faults: u16,
}

impl Levels {
    /// Those of a scenario, all empty.
    pub fn new(engine: &Embedded) -> Levels {
        let kernel = &engine.kernel;
        let limits = kernel.limits();
        let calls = kernel.calls();
        let mut groups: BTreeMap<_, (usize, usize)> = BTreeMap::new();
        for (at, call) in calls.iter().enumerate() {
            let arguments = kernel.variants(engine.start(), at).map_or(1, |variants| variants.len().max(1));
            let group = groups.entry((call.entry, call.caller, &call.arg)).or_insert((0, arguments));
            group.0 += 1;
        }
        let mut sets = vec![1.0];
        for (size, arguments) in groups.into_values() {
            let wider = (0..sets.len() + size)
                .map(|total| {
                    let with = |some: usize| Some(sets.get(total - some)? * choices_of(arguments, some));
                    (0..=size.min(total)).filter_map(with).sum()
                })
                .collect();
            sets = wider;
        }
        sets.truncate(limits.calls.min(calls.len() as u32) as usize + 1);
        let budget: u32 = kernel.faults().iter().map(|fault| u32::from(fault.budget)).sum();
        Levels { worlds: BTreeMap::new(), sets, faults: budget.min(limits.faults) as u16 }
    }

    /// Counts a world that was found.
    pub fn find(&mut self, rank: Rank) {
        self.worlds.entry((rank.faults, rank.calls)).or_default().0 += 1;
    }

    /// Counts a world that was expanded.
    pub fn expand(&mut self, rank: Rank) {
        self.worlds.entry((rank.faults, rank.calls)).or_default().1 += 1;
    }

    /// Estimated number of worlds that are not expanded yet.
    pub fn remaining(&self) -> Option<u64> {
        let mut sizes: BTreeMap<(u16, u16), f64> = BTreeMap::new();
        let mut left = 0.0;
        for faults in 0..=self.faults {
            for calls in 0..self.sets.len() as u16 {
                let level = (faults, calls);
                let (found, expanded) = self.worlds.get(&level).copied().unwrap_or_default();
                // Levels come one after the other, so all before one with a world that was expanded are finished.
                let is_finished =
                    found == expanded && self.worlds.range(level..).any(|(_, &(_, expanded))| expanded > 0);
                let size = if is_finished { found as f64 } else { self.expected(&sizes, level)?.max(found as f64) };
                left += size - expanded as f64;
                sizes.insert(level, size);
            }
        }
        Some(left as u64)
    }

    fn expected(&self, sizes: &BTreeMap<(u16, u16), f64>, (faults, calls): (u16, u16)) -> Option<f64> {
        let size = |faults: u16, calls: u16| {
            let known = sizes.get(&(faults, calls)).copied();
            known.map(|size| (size / self.sets[usize::from(calls)]).max(1.0))
        };
        let sets = self.sets[usize::from(calls)];
        if faults == 0 {
            if usize::from(calls) < LEVELS_MIN {
                return None;
            }
            let [a, b, c] = [3, 2, 1].map(|back| size(0, calls - back));
            let (a, b, c) = (a?, b?, c?);
            let growth = if a < WORLDS_MIN { c / b } else { (c / b) * ((c / b) / (b / a)).sqrt() };
            return Some(c * growth * sets);
        }
        let below = size(faults - 1, calls)?;
        let share = |back: u16| Some(size(faults, calls.checked_sub(back)?)? / size(faults - 1, calls - back)?);
        let share = match (share(1), share(2)) {
            (Some(last), Some(before)) if before > 1.0 && calls > 2 => last * (last / before).sqrt(),
            (Some(last), _) if calls > 1 => last,
            // Nothing is known of this number of faults: it is as if each fault came as often as the one before.
            _ if faults > 1 => size(faults - 1, calls)? / size(faults - 2, calls)? / 2.0,
            _ => return None,
        };
        Some(below * share * sets)
    }
}
