//! What was found so far: violations, outcomes, what was seen and what was cut.
//!
//! In: what was seen in one world after the other. Out: sums that do not depend on the order of the worlds, except that
//! those of a violated invariant's simplest rank are kept.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage::Seen;
use super::graph::Rank;
use super::look::{Exercised, Look};
use crate::kernel::Cuts;
use crate::scenario::{Invariant, When};

/// Violations of one invariant.
#[derive(Clone, Debug)]
pub struct Found {
    /// The simplest rank at which it is violated.
    pub rank: Rank,
    /// Where it is violated at that rank: in these worlds, or by a step from each of them.
    pub simplest: Vec<Place>,
    /// Number of violating worlds, or of those that violating steps leave.
    pub worlds: u64,
}

/// Where an invariant is violated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// In this world.
    pub world: u32,
    /// By the step that is this choice of it, if it is an invariant of steps.
    pub step: Option<u32>,
}

impl Found {
    fn add(found: &mut Option<Found>, rank: Rank, place: Place) {
        let found = found.get_or_insert_with(|| Found { rank, simplest: Vec::new(), worlds: 0 });
        found.worlds += 1;
        if rank < found.rank {
            (found.rank, found.simplest) = (rank, Vec::new());
        }
        if found.rank == rank {
            found.simplest.push(place);
        }
    }
}

/// Sums over the worlds looked at.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By position of the invariant.
    pub found: Vec<Option<Found>>,
    /// By position of the invariant: whether a `sometimes` was seen; `None` for others.
    pub sometimes: Vec<Option<bool>>,
    /// What became of the entries' instances.
    pub exercised: Exercised,
    /// Distinct outcomes by (calls started, faults spent), at rest.
    pub outcomes: BTreeMap<(u32, u32), BTreeSet<String>>,
    /// Violating worlds, once for each invariant.
    pub violations: u64,
    /// Steps made that executed a message, memoized ones included.
    pub deliveries: u64,
    /// Worlds in which an execution is complete.
    pub complete: u64,
    /// Whether the bound on depth cut something off.
    pub cut_by_depth: bool,
    /// Whether the bound on timers did.
    pub cut_by_timers: bool,
    /// What narrowed bounds cut off.
    pub cuts: Cuts,
    /// For each canister whose timer was ever set: the least nanoseconds left to it.
    pub timers: BTreeMap<u16, u64>,
    /// Which methods were delivered while which await points were open.
    pub coverage: Seen,
}

impl Tally {
    /// Nothing found.
    pub fn new(invariants: &[Invariant]) -> Tally {
        let sometimes = |invariant: &Invariant| (invariant.when == When::Sometimes).then_some(false);
        Tally {
            found: vec![None; invariants.len()],
            sometimes: invariants.iter().map(sometimes).collect(),
            ..Tally::default()
        }
    }

    /// Adds what was seen in a world of this number and rank.
    pub fn add(&mut self, at: u32, rank: Rank, look: Look) {
        self.complete += u64::from(look.complete);
        self.cut_by_depth |= look.cut_by_depth;
        self.cut_by_timers |= look.cut_by_timers;
        self.cuts = self.cuts.or(look.cuts);
        if let Some(outcome) = look.outcome {
            self.outcomes.entry(look.spent).or_default().insert(outcome);
        }
        for (canister, left_ns) in look.timers {
            let least = self.timers.entry(canister).or_insert(left_ns);
            *least = left_ns.min(*least);
        }
        self.exercised = self.exercised.or(look.exercised);
        for position in look.seen {
            self.sometimes[position] = Some(true);
        }
        for (position, _) in look.violated {
            self.violations += 1;
            Found::add(&mut self.found[position], rank, Place { world: at, step: None });
        }
        for step in look.broken {
            self.violations += 1;
            // A step further than the world that it leaves, whatever a checkpoint says.
            let rank = Rank { steps: rank.steps + 1, ..step.rank };
            let place = Place { world: at, step: Some(step.ordinal) };
            Found::add(&mut self.found[step.invariant], rank, place);
        }
    }

    /// Adds the sums of another part of the search, but not its violations, whose worlds have other numbers.
    pub fn absorb(&mut self, other: &Tally) {
        self.violations += other.violations;
        self.deliveries += other.deliveries;
        self.complete += other.complete;
        self.merge(other);
    }

    /// Adds what another one saw, but for violations and numbers of worlds: both may have seen the same worlds.
    pub fn merge(&mut self, other: &Tally) {
        self.cut_by_depth |= other.cut_by_depth;
        self.cut_by_timers |= other.cut_by_timers;
        self.cuts = self.cuts.or(other.cuts);
        self.coverage.merge(&other.coverage);
        self.exercised = self.exercised.or(other.exercised);
        for (spent, outcomes) in &other.outcomes {
            self.outcomes.entry(*spent).or_default().extend(outcomes.iter().cloned());
        }
        for (&canister, &left_ns) in &other.timers {
            let least = self.timers.entry(canister).or_insert(left_ns);
            *least = left_ns.min(*least);
        }
        for (seen, theirs) in self.sometimes.iter_mut().zip(&other.sometimes) {
            *seen = (*seen).max(*theirs);
        }
    }
}
