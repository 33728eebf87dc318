//! The worlds found so far and the steps between them.
//!
//! In: worlds, with the step that led there. Out: the next one to expand, and the path to each. A world is stored once, as
//! its bytes; the frontier is ordered by faults, then calls, then steps.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::FaultLevel;
use crate::kernel::World;
use crate::kernel::world::Shape;

/// Order in which worlds are taken: faults, calls, steps.
type Rank = (u32, u32, u32);

struct Node {
    start: u64,
    length: u32,
    hash: u64,
    parent: u32,
    ordinal: u32,
    rank: Rank,
    expanded: bool,
    complete: bool,
    edges: u64,
    edge_count: u32,
}

/// The graph of worlds.
pub struct Graph {
    bytes: Vec<u8>,
    nodes: Vec<Node>,
    table: HashTable<u32>,
    frontier: BTreeMap<Rank, VecDeque<u32>>,
    edges: Vec<(u32, u32)>,
    pending: Vec<(u32, u32)>,
    scratch: Vec<u8>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph {
            bytes: Vec::new(),
            nodes: Vec::new(),
            table: HashTable::new(),
            frontier: BTreeMap::new(),
            edges: Vec::new(),
            pending: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Adds a world, or finds it; `parent` is the world being expanded and the position of the step among its choices.
    pub fn add(&mut self, world: &World, parent: Option<(u32, u32)>, multiplicity: u32, rank: Rank) {
        let mut key = std::mem::take(&mut self.scratch);
        world.encode(&mut key);
        let hash = xxh3_64(&key);
        let same = |&at: &u32| {
            let node = &self.nodes[at as usize];
            node.hash == hash && self.bytes[node.start as usize..node.start as usize + node.length as usize] == key[..]
        };
        let at = match self.table.find(hash, same) {
            Some(&at) => {
                self.shorten(at, parent, rank.2);
                at
            }
            None => self.insert(&key, hash, parent, rank),
        };
        if parent.is_some() {
            self.pending.push((at, multiplicity));
        }
        self.scratch = key;
    }

    fn insert(&mut self, key: &[u8], hash: u64, parent: Option<(u32, u32)>, rank: Rank) -> u32 {
        let at = u32::try_from(self.nodes.len()).expect("bug in canloom: more than 2^32 worlds");
        let (parent, ordinal) = parent.unwrap_or((at, 0));
        self.nodes.push(Node {
            start: self.bytes.len() as u64,
            length: key.len() as u32,
            hash,
            parent,
            ordinal,
            rank,
            expanded: false,
            complete: false,
            edges: 0,
            edge_count: 0,
        });
        self.bytes.extend_from_slice(key);
        let nodes = &self.nodes;
        self.table.insert_unique(hash, at, |&at| nodes[at as usize].hash);
        self.frontier.entry(rank).or_default().push_back(at);
        at
    }

    /// A world that waits may be reached in fewer steps than it was found with first.
    fn shorten(&mut self, at: u32, parent: Option<(u32, u32)>, steps: u32) {
        let node = &mut self.nodes[at as usize];
        let Some((parent, ordinal)) = parent else { return };
        if node.expanded || steps >= node.rank.2 {
            return;
        }
        node.rank.2 = steps;
        node.parent = parent;
        node.ordinal = ordinal;
        self.frontier.entry(node.rank).or_default().push_back(at);
    }

    /// The next world to expand.
    pub fn next(&mut self) -> Option<u32> {
        loop {
            let mut entry = self.frontier.first_entry()?;
            let rank = *entry.key();
            match entry.get_mut().pop_front() {
                // Entries left behind by a shorter path are passed over.
                Some(at) if !self.nodes[at as usize].expanded && self.nodes[at as usize].rank == rank => {
                    self.nodes[at as usize].expanded = true;
                    return Some(at);
                }
                Some(_) => {}
                None => {
                    entry.remove();
                }
            }
        }
    }

    /// Closes the expansion of a world: the steps added since belong to it.
    pub fn expanded(&mut self, at: u32) {
        let node = &mut self.nodes[at as usize];
        node.edges = self.edges.len() as u64;
        node.edge_count = self.pending.len() as u32;
        self.edges.append(&mut self.pending);
    }

    /// Takes back that a world was expanded: its steps are not all known.
    pub fn give_up(&mut self, at: u32) {
        self.nodes[at as usize].expanded = false;
        self.pending.clear();
    }

    /// Bytes that worlds and steps take.
    pub fn bytes(&self) -> u64 {
        let nodes = self.nodes.capacity() * size_of::<Node>() + self.table.capacity() * size_of::<u32>();
        let steps = self.edges.capacity() * size_of::<(u32, u32)>();
        (self.bytes.capacity() + nodes + steps) as u64
    }

    /// The world with this number.
    pub fn world(&self, at: u32, shape: Shape) -> World {
        let node = &self.nodes[at as usize];
        let bytes = &self.bytes[node.start as usize..node.start as usize + node.length as usize];
        World::decode(bytes, shape)
    }

    /// Number of worlds.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Steps on the shortest path found to a world.
    pub fn depth(&self, at: u32) -> u32 {
        self.nodes[at as usize].rank.2
    }

    /// Faults, calls, steps.
    pub fn rank(&self, at: u32) -> Rank {
        self.nodes[at as usize].rank
    }

    /// Faults spent.
    pub fn faulted(&self, at: u32) -> u32 {
        self.nodes[at as usize].rank.0
    }

    /// How many worlds of each number of faults were found and expanded.
    pub fn by_faults(&self) -> Vec<FaultLevel> {
        let mut found: BTreeMap<u32, FaultLevel> = BTreeMap::new();
        for node in &self.nodes {
            let faults = node.rank.0;
            let depth = found.entry(faults).or_insert(FaultLevel { faults, worlds: 0, expanded: 0 });
            depth.worlds += 1;
            depth.expanded += u64::from(node.expanded);
        }
        found.into_values().collect()
    }

    /// Marks a complete execution.
    pub fn set_complete(&mut self, at: u32) {
        self.nodes[at as usize].complete = true;
    }

    /// Whether an execution is complete here.
    pub fn is_complete(&self, at: u32) -> bool {
        self.nodes[at as usize].complete
    }

    /// Worlds that one step leads to, with the number of equal steps.
    pub fn steps(&self, at: u32) -> &[(u32, u32)] {
        let node = &self.nodes[at as usize];
        &self.edges[node.edges as usize..node.edges as usize + node.edge_count as usize]
    }

    /// Positions of the steps from the first world to this one, among the choices of each world on the way.
    pub fn path(&self, mut at: u32) -> Vec<u32> {
        let mut path = Vec::new();
        while self.nodes[at as usize].parent != at {
            path.push(self.nodes[at as usize].ordinal);
            at = self.nodes[at as usize].parent;
        }
        path.reverse();
        path
    }
}
