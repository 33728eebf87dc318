//! The worlds found so far and the steps between them.
//!
//! In: worlds as bytes, with the steps that lead there. Out: the next ones to expand, and the simplest path to some of
//! them. A world is stored once; the frontier is ordered by [`Rank`].

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use super::FaultLevel;
use super::prefix::Place;
use crate::kernel::World;
use crate::kernel::intern::{Slot, place};
use crate::kernel::world::Shape;

/// How simple a world is, simplest first: the order in which worlds are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rank {
    /// Faults spent.
    pub faults: u16,
    /// Calls started.
    pub calls: u16,
    /// Context switches, where they are bounded.
    pub switches: u8,
    /// Steps on the shortest path there.
    pub steps: u32,
}

/// A step of one world to another.
#[derive(Clone, Copy, Debug)]
pub struct Edge {
    /// The world that it leads to.
    pub to: u32,
    /// How many equal steps it stands for.
    pub multiplicity: u32,
}

struct Node {
    /// Where its bytes begin.
    start: u64,
    /// Where its steps begin, and how many there are.
    edges: u64,
    edge_count: u32,
    rank: Rank,
    expanded: bool,
    complete: bool,
}

/// The graph of worlds.
#[derive(Default)]
pub struct Graph {
    bytes: Vec<u8>,
    nodes: Vec<Node>,
    table: HashTable<Slot>,
    frontier: BTreeMap<Rank, VecDeque<u32>>,
    edges: Vec<Edge>,
    roots: Vec<Root>,
}

/// A world at which paths begin.
pub struct Root {
    /// The world.
    pub at: u32,
    /// Number of paths to it that are not in the graph.
    pub paths: BigUint,
    /// The first of them.
    pub first: Vec<u32>,
}

impl Graph {
    /// Adds a world, or finds it. `key` is [`World::encode`]'s, `hash` any hash of it; returns its number.
    pub fn add(&mut self, key: &[u8], hash: u64, rank: Rank) -> u32 {
        let short = hash as u32;
        let same = |slot: &Slot| {
            let start = self.nodes[slot.id as usize].start as usize;
            slot.hash == short && self.bytes[start..].starts_with(key)
        };
        let at = u32::try_from(self.nodes.len()).expect("bug in canloom: more than 2^32 worlds");
        match self.table.entry(place(short), same, Slot::place) {
            Entry::Occupied(known) => {
                let at = known.get().id;
                self.shorten(at, rank.steps);
                return at;
            }
            Entry::Vacant(place) => place.insert(Slot { hash: short, id: at }),
        };
        let start = self.bytes.len() as u64;
        self.nodes.push(Node { start, edges: 0, edge_count: 0, rank, expanded: false, complete: false });
        self.bytes.extend_from_slice(key);
        self.frontier.entry(rank).or_default().push_back(at);
        at
    }

    /// Adds a world at which paths begin; all of them have the same number of steps, and come in the order of their first
    /// paths.
    pub fn add_root(&mut self, place: Place) {
        let at = self.add(&place.key, place.hash, place.rank);
        self.roots.push(Root { at, paths: place.paths, first: place.first });
    }

    /// The worlds at which paths begin.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// A world that waits may be reached in fewer steps than it was found with first.
    pub fn shorten(&mut self, at: u32, steps: u32) {
        let node = &mut self.nodes[at as usize];
        if node.expanded || steps >= node.rank.steps {
            return;
        }
        node.rank.steps = steps;
        self.frontier.entry(node.rank).or_default().push_back(at);
    }

    /// Takes the next worlds to expand, at most so many and all of one rank, so that none of them leads to another or
    /// shortens the way to it. Each is to be closed by [`Graph::expanded`], or
    /// put back by [`Graph::give_back`] or [`Graph::give_up`].
    pub fn next(&mut self, most: usize, out: &mut Vec<u32>) {
        out.clear();
        while out.is_empty() {
            let Some(mut entry) = self.frontier.first_entry() else { return };
            let rank = *entry.key();
            while out.len() < most
                && let Some(at) = entry.get_mut().pop_front()
            {
                // Entries left behind by a shorter path are passed over.
                let node = &mut self.nodes[at as usize];
                if !node.expanded && node.rank == rank {
                    node.expanded = true;
                    out.push(at);
                }
            }
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }

    /// Closes the expansion of a world: these are its steps, in the order of its choices.
    pub fn expanded(&mut self, at: u32, edges: &[Edge], complete: bool) {
        let node = &mut self.nodes[at as usize];
        node.edges = self.edges.len() as u64;
        node.edge_count = edges.len() as u32;
        node.complete = complete;
        self.edges.extend_from_slice(edges);
    }

    /// Puts worlds back that [`Graph::next`] took last, so that they are the next ones again.
    pub fn give_back(&mut self, worlds: &[u32]) {
        for &at in worlds.iter().rev() {
            let node = &mut self.nodes[at as usize];
            node.expanded = false;
            self.frontier.entry(node.rank).or_default().push_front(at);
        }
    }

    /// Takes back that a world was taken.
    pub fn give_up(&mut self, at: u32) {
        self.nodes[at as usize].expanded = false;
    }

    /// Bytes that worlds and steps take.
    pub fn bytes(&self) -> u64 {
        let nodes = self.nodes.capacity() * size_of::<Node>() + self.table.capacity() * size_of::<Slot>();
        (self.bytes.capacity() + nodes + self.edges.capacity() * size_of::<Edge>()) as u64
    }

    /// The world with this number.
    pub fn world(&self, at: u32, shape: Shape) -> World {
        World::decode(&self.bytes[self.nodes[at as usize].start as usize..], shape)
    }

    /// Number of worlds.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How simple a world is.
    pub fn rank(&self, at: u32) -> Rank {
        self.nodes[at as usize].rank
    }

    /// How many worlds of each number of faults were found and expanded.
    pub fn by_faults(&self) -> Vec<FaultLevel> {
        let mut found: BTreeMap<u32, FaultLevel> = BTreeMap::new();
        for node in &self.nodes {
            let faults = u32::from(node.rank.faults);
            let level = found.entry(faults).or_insert(FaultLevel { faults, worlds: 0, expanded: 0 });
            level.worlds += 1;
            level.expanded += u64::from(node.expanded);
        }
        found.into_values().collect()
    }

    /// The simplest rank of a world that was not expanded.
    pub fn unfinished(&self) -> Option<Rank> {
        self.nodes.iter().filter(|node| !node.expanded).map(|node| node.rank).min()
    }

    /// Whether an execution is complete here.
    pub fn is_complete(&self, at: u32) -> bool {
        self.nodes[at as usize].complete
    }

    /// Its steps, in the order of its choices.
    pub fn steps(&self, at: u32) -> &[Edge] {
        let node = &self.nodes[at as usize];
        &self.edges[node.edges as usize..node.edges as usize + node.edge_count as usize]
    }

    /// A shortest path to one of these worlds, to which the same number of steps leads: of several the one that where they
    /// part has spent fewer faults, then started fewer calls, then made fewer context switches, then takes the earlier choice.
    /// Positions among the choices of each world on the way, and the world that it leads to.
    ///
    /// The choice of path depends on the graph alone, and not on the order in which it was found.
    pub fn path(&self, targets: &[u32]) -> (Vec<u32>, u32) {
        let length = self.rank(targets[0]).steps;
        let mut leads = vec![false; self.len()];
        for &target in targets {
            leads[target as usize] = true;
        }
        let mut before: Vec<u32> = (0..self.len() as u32).filter(|&at| self.rank(at).steps < length).collect();
        before.sort_by_key(|&at| std::cmp::Reverse(self.rank(at).steps));
        let is_next = |leads: &[bool], from: u32, edge: &Edge| {
            leads[edge.to as usize] && self.rank(edge.to).steps == self.rank(from).steps + 1
        };
        for at in before {
            leads[at as usize] |= self.steps(at).iter().any(|edge| is_next(&leads, at, edge));
        }
        let root = self.roots.iter().find(|root| leads[root.at as usize]);
        let root = root.expect("bug in canloom: a world that no path leads to");
        let mut path = root.first.clone();
        let mut at = root.at;
        while self.rank(at).steps < length {
            let steps = self.steps(at).iter().enumerate().filter(|(_, edge)| is_next(&leads, at, edge));
            let simplest = steps.min_by_key(|(_, edge)| self.rank(edge.to));
            let (ordinal, edge) = simplest.expect("bug in canloom: a world without a path to it");
            path.push(ordinal as u32);
            at = edge.to;
        }
        (path, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_worlds_with_four_steps_each_take_less_than_a_gigabyte() {
        let mut graph = Graph::default();
        let mut chunk = Vec::new();
        let rank = |steps| Rank { steps, ..Rank::default() };
        for at in 0u64..1_000_000 {
            // As long as worlds of six calls and two canisters are.
            let key: Vec<u8> = (0..8).flat_map(|part: u64| (at * 8 + part).to_le_bytes()).collect();
            graph.add(&key, xxhash_rust::xxh3::xxh3_64(&key), rank(at as u32));
            graph.next(1, &mut chunk);
            let edge = Edge { to: at as u32, multiplicity: 1 };
            graph.expanded(chunk[0], &[edge; 4], false);
        }
        assert_eq!(graph.len(), 1_000_000);
        assert!(graph.bytes() < 1 << 30, "{} bytes", graph.bytes());
        assert!(graph.bytes() > 1_000_000 * (64 + 4 * 8), "what is kept is counted");
    }
}
