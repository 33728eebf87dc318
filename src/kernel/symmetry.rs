//! Interchangeable calls in canonical form: equal calls are sorted by progress. Interchangeable callers start in order.
//!
//! Two instances of one entry with the same caller, method and argument can be exchanged: nothing in a world names them
//! but their position. The permutation moves the whole subtree of a call, and its requests in the queues with it. Outside
//! observers can tell them apart only by name, so the report undoes the permutations along a path
//! ([`Permutation::then`]).

use std::cmp::Ordering;

use crate::schedule::{Root, Step};

use super::world::{NOT_STARTED, World};
use super::{CallSpec, Chosen, Kernel};

/// Where each tree went: position `i` holds the new number of tree `i`. Only call instances ever move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permutation(Vec<u32>);

impl Permutation {
    /// Every tree stays.
    pub fn identity(trees: usize) -> Permutation {
        Permutation((0..trees as u32).collect())
    }

    /// First `self`, then `next`.
    pub fn then(&self, next: &Permutation) -> Permutation {
        Permutation(self.0.iter().map(|&at| next.0[at as usize]).collect())
    }

    /// Which call has gone to this number.
    pub fn original(&self, call: u32) -> u32 {
        self.0.iter().position(|&at| at == call).map_or(call, |at| at as u32)
    }
}

/// Sets of two or more call instances that can be exchanged for each other.
pub fn groups(calls: &[CallSpec]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let same = |first: usize| {
            let other = &calls[first];
            other.entry == call.entry
                && other.caller == call.caller
                && other.canister == call.canister
                && other.method == call.method
                && other.arg == call.arg
                && Chosen::is_same(&other.chosen, &call.chosen)
                && other.after == call.after
                // One that another call waits for, or takes values from, and not for the other one, could be told apart:
                // two actors may have one principal.
                && calls.iter().all(|by| names(by, first) == names(by, at))
        };
        match groups.iter_mut().find(|group| same(group[0])) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// Whether a call waits for another one, or reads its answer.
fn names(call: &CallSpec, other: usize) -> (bool, bool) {
    (call.after.contains(&other), call.chosen.as_ref().is_some_and(|chosen| chosen.reads.contains(&other)))
}

impl Kernel {
    /// Brings a world into canonical form; returns where each call went, or `None` if all stayed.
    pub fn canonicalize(&self, world: &mut World) -> Option<Permutation> {
        let mut moved: Option<Vec<u32>> = None;
        for group in &self.groups {
            let mut order = group.clone();
            order.sort_by(|&a, &b| self.compare(world, a, b));
            if order == *group {
                continue;
            }
            let moved = moved.get_or_insert_with(|| (0..world.trees.len() as u32).collect());
            for (&to, &from) in group.iter().zip(&order) {
                moved[from] = to as u32;
            }
        }
        let moved = moved?;
        let trees = world.trees.clone();
        for (from, &to) in moved.iter().enumerate() {
            world.trees[to as usize] = trees[from];
        }
        for queued in &mut world.queue {
            queued.tree = moved[queued.tree as usize];
        }
        if let Some(last) = world.turns.as_mut().and_then(|turns| turns.last.as_mut()) {
            *last = moved[*last as usize];
        }
        Some(Permutation(moved))
    }

    /// The same schedule with interchangeable calls numbered in the order in which they start.
    pub fn in_order_of_start(&self, mut steps: Vec<Step>) -> Vec<Step> {
        let mut named: Vec<u32> = (0..self.plan.calls.len() as u32).collect();
        for group in &self.groups {
            let mut started: Vec<usize> = Vec::new();
            for step in &steps {
                let Some(call) = step.root.call().map(|call| call as usize) else { continue };
                if group.contains(&call) && !started.contains(&call) {
                    started.push(call);
                }
            }
            started.extend(group.iter().filter(|call| !started.contains(call)).copied().collect::<Vec<_>>());
            for (&to, &from) in group.iter().zip(&started) {
                named[from] = to as u32;
            }
        }
        for step in &mut steps {
            if let Root::Call(call) = &mut step.root {
                *call = named[*call as usize];
            }
        }
        steps
    }

    /// How many interchangeable calls that have not started this one stands for; 0 if an equal one with a lower number, or
    /// by a caller who is listed before, stands for it.
    pub(super) fn start_multiplicity(&self, world: &World, call: usize) -> u32 {
        if world.trees[call] != NOT_STARTED {
            // Submitted before: a tree of its own.
            return 1;
        }
        self.equal_calls(world, call) * self.equal_callers(world, call)
    }

    /// How many interchangeable callers who have not started a call could start this one in place of its own.
    fn equal_callers(&self, world: &World, call: usize) -> u32 {
        let callers = &self.plan.symmetric;
        let Some(caller) = callers.iter().position(|calls| calls.contains(&call)) else { return 1 };
        let has_started = |calls: &&Vec<usize>| calls.iter().any(|&call| world.trees[call] != NOT_STARTED);
        if has_started(&&callers[caller]) {
            return 1;
        }
        let waiting = callers.iter().filter(|calls| !has_started(calls)).count() as u32;
        if callers[..caller].iter().all(|calls| has_started(&calls)) { waiting } else { 0 }
    }

    fn equal_calls(&self, world: &World, call: usize) -> u32 {
        let Some(group) = self.groups.iter().find(|group| group.contains(&call)) else { return 1 };
        let mut waiting = group.iter().filter(|&&other| world.trees[other] == NOT_STARTED);
        if waiting.next() == Some(&call) { 1 + waiting.count() as u32 } else { 0 }
    }

    /// Order of two interchangeable calls: started before not started, then by content, then by place in the queues, then
    /// the one whose turn it is before others.
    ///
    /// Equal trees differ at most in where their requests wait, and no two wait in the same place, and in whose turn it
    /// is; so calls that compare equal are equal.
    fn compare(&self, world: &World, a: usize, b: usize) -> Ordering {
        let (x, y) = (world.trees[a], world.trees[b]);
        if x == NOT_STARTED || y == NOT_STARTED {
            return (x == NOT_STARTED).cmp(&(y == NOT_STARTED));
        }
        if x != y {
            return self.tables.tree_hash(x).cmp(&self.tables.tree_hash(y)).then(x.cmp(&y));
        }
        let places = |call: usize| {
            let ours = move |(at, queued): (usize, &super::world::Queued)| (queued.tree as usize == call).then_some(at);
            world.queue.iter().enumerate().filter_map(ours)
        };
        let is_other = |call: usize| world.turns.is_some_and(|turns| turns.last != Some(call as u32));
        places(a).cmp(places(b)).then_with(|| is_other(a).cmp(&is_other(b)))
    }
}
