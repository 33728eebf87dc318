//! The world: the whole state of the system as a value.
//!
//! In: deliveries and faults change a copy. Out: a canonical byte string, equal for equal worlds, from which the world can
//! be read back. Backtracking keeps the old value; nothing is undone.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::schedule::Path;

use super::guest::MemoryId;

/// Id of the tree of a call that has not started.
pub const NOT_STARTED: u32 = 0;

/// State of one canister: what its guest holds and what the system holds for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CanisterState {
    /// Memory, globals and stable memory, interned by the guest.
    pub memory: MemoryId,
    /// Interned [`super::SystemState`].
    pub system: u32,
}

/// A request waiting in the queue of its pair of canisters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Queued {
    /// Sender and receiver.
    pub pair: (u16, u16),
    /// The tree it belongs to.
    pub tree: u32,
    /// Its path below that tree's root.
    pub path: Path,
}

/// Whose turn it is, where the bound on context switches makes that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Turns {
    /// The tree of the last delivery, as long as something is left of it.
    pub last: Option<u32>,
    /// Context switches so far.
    pub switches: u8,
}

/// Everything that the future depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct World {
    /// One per canister.
    pub canisters: Vec<CanisterState>,
    /// One interned [`super::CallTree`] per call instance, then one per task that may run; [`NOT_STARTED`] before its start.
    pub trees: Vec<u32>,
    /// Waiting requests, sorted by pair; within a pair in the order in which they were sent.
    pub queue: Vec<Queued>,
    /// How often each fault of the scenario has happened.
    pub faults: Vec<u8>,
    /// How often each time step of the scenario was made.
    pub times: Vec<u8>,
    /// How often each scripted HTTP outcall of the scenario was answered.
    pub outcalls: Vec<u8>,
    /// What the harness counted: for each ghost of the scenario, its interned sum.
    pub ghosts: Vec<u32>,
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Only where context switches are bounded.
    pub turns: Option<Turns>,
}

/// Sizes of a world's parts: fixed by the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Canisters.
    pub canisters: usize,
    /// Trees.
    pub trees: usize,
    /// Faults.
    pub faults: usize,
    /// Time steps.
    pub times: usize,
    /// Scripted HTTP outcalls.
    pub outcalls: usize,
    /// Ghosts.
    pub ghosts: usize,
    /// Whether it says whose turn it is.
    pub turns: bool,
}

impl World {
    /// Number of faults that have happened.
    pub fn faulted(&self) -> u32 {
        self.faults.iter().map(|&n| u32::from(n)).sum()
    }

    /// Number of time steps that were made.
    pub fn passed(&self) -> u32 {
        self.times.iter().map(|&n| u32::from(n)).sum()
    }

    /// Context switches so far; 0 where they are not counted.
    pub fn switches(&self) -> u8 {
        self.turns.map_or(0, |turns| turns.switches)
    }

    /// Sizes of its parts.
    pub fn shape(&self) -> Shape {
        Shape {
            canisters: self.canisters.len(),
            trees: self.trees.len(),
            faults: self.faults.len(),
            times: self.times.len(),
            outcalls: self.outcalls.len(),
            ghosts: self.ghosts.len(),
            turns: self.turns.is_some(),
        }
    }

    /// Appends a request to its pair's queue.
    pub fn enqueue(&mut self, queued: Queued) {
        let at = self.queue.partition_point(|other| other.pair <= queued.pair);
        self.queue.insert(at, queued);
    }

    /// Position of a request in the queue.
    pub fn position(&self, tree: u32, path: &Path) -> Option<usize> {
        self.queue.iter().position(|queued| queued.tree == tree && queued.path == *path)
    }

    /// The part of the queue that holds the requests of one pair, first in first.
    pub fn pair(&self, pair: (u16, u16)) -> Range<usize> {
        let start = self.queue.partition_point(|queued| queued.pair < pair);
        let end = self.queue.partition_point(|queued| queued.pair <= pair);
        start..end
    }

    /// The world as bytes: equal exactly for equal worlds, and none the beginning of another. The [`Shape`] is fixed by the
    /// scenario and not repeated. Numbers take as many bytes as they need, seven bits in each.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        for canister in &self.canisters {
            put(out, canister.memory.0);
            put(out, canister.system);
        }
        for &tree in &self.trees {
            put(out, tree);
        }
        out.extend_from_slice(&self.faults);
        out.extend_from_slice(&self.times);
        out.extend_from_slice(&self.outcalls);
        for &ghost in &self.ghosts {
            put(out, ghost);
        }
        out.extend_from_slice(&self.time_ns.to_le_bytes());
        if let Some(turns) = self.turns {
            put(out, turns.last.map_or(0, |tree| tree + 1));
            out.push(turns.switches);
        }
        put(out, self.queue.len() as u32);
        for queued in &self.queue {
            put(out, u32::from(queued.pair.0));
            put(out, u32::from(queued.pair.1));
            put(out, queued.tree);
            put(out, queued.path.depth() as u32);
            for &segment in queued.path.segments() {
                put(out, segment);
            }
        }
    }

    /// Reads back what [`World::encode`] wrote for a world of this shape; what follows it is left alone.
    pub fn decode(bytes: &[u8], shape: Shape) -> World {
        let mut reader = Reader(bytes);
        let state = |reader: &mut Reader<'_>| CanisterState { memory: MemoryId(reader.u32()), system: reader.u32() };
        let canisters = (0..shape.canisters).map(|_| state(&mut reader)).collect();
        let trees = (0..shape.trees).map(|_| reader.u32()).collect();
        let faults = reader.take(shape.faults).to_vec();
        let times = reader.take(shape.times).to_vec();
        let outcalls = reader.take(shape.outcalls).to_vec();
        let ghosts = (0..shape.ghosts).map(|_| reader.u32()).collect();
        let time_ns = u64::from_le_bytes(reader.take(8).try_into().expect("eight bytes"));
        let turns = shape.turns.then(|| Turns { last: reader.u32().checked_sub(1), switches: reader.take(1)[0] });
        let mut queue = Vec::new();
        for _ in 0..reader.u32() {
            let pair = (reader.u32() as u16, reader.u32() as u16);
            let tree = reader.u32();
            let depth = reader.u32();
            let segments: Vec<u32> = (0..depth).map(|_| reader.u32()).collect();
            queue.push(Queued { pair, tree, path: Path::from_segments(&segments) });
        }
        World { canisters, trees, queue, faults, times, outcalls, ghosts, time_ns, turns }
    }
}

fn put(out: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(n);
        self.0 = tail;
        head
    }

    fn u32(&mut self) -> u32 {
        let mut n = 0;
        for at in 0.. {
            let byte = self.take(1)[0];
            n |= u32::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                break;
            }
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Worlds of one shape, with or without turns.
    fn arbitrary_world(has_turns: bool) -> impl Strategy<Value = World> {
        let queued = (0u16..3, 0u16..3, 0u32..4, prop::collection::vec(1u32..9, 0..9));
        (
            prop::collection::vec((any::<u32>(), any::<u32>()), 3),
            prop::collection::vec(any::<u32>(), 4),
            prop::collection::vec(queued, 0..6),
            prop::collection::vec(any::<u8>(), 2),
            prop::collection::vec(any::<u8>(), 3),
            any::<u64>(),
            (prop::option::of(0u32..4), any::<u8>()),
            prop::collection::vec(any::<u32>(), 2),
        )
            .prop_map(move |(canisters, trees, queue, faults, used, time_ns, (last, switches), ghosts)| {
                let canisters =
                    canisters.into_iter().map(|(m, system)| CanisterState { memory: MemoryId(m), system }).collect();
                let (times, outcalls) = (used[..1].to_vec(), used[1..].to_vec());
                let turns = has_turns.then_some(Turns { last, switches });
                let queued = Vec::new();
                let mut world =
                    World { canisters, trees, queue: queued, faults, times, outcalls, ghosts, time_ns, turns };
                for (a, b, tree, path) in queue {
                    world.enqueue(Queued { pair: (a, b), tree, path: Path::from_segments(&path) });
                }
                world
            })
    }

    proptest! {
        #[test]
        fn a_world_survives_its_bytes(world in any::<bool>().prop_flat_map(arbitrary_world)) {
            let mut bytes = Vec::new();
            world.encode(&mut bytes);
            prop_assert_eq!(World::decode(&bytes, world.shape()), world);
        }

        #[test]
        fn distinct_worlds_have_distinct_bytes(
            (a, b) in any::<bool>().prop_flat_map(|turns| (arbitrary_world(turns), arbitrary_world(turns)))
        ) {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            a.encode(&mut x);
            b.encode(&mut y);
            prop_assert_eq!(x == y, a == b);
            prop_assert!(x == y || !(x.starts_with(&y) || y.starts_with(&x)));
        }
    }
}
