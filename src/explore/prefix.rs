//! A share of the search: which paths one of several runs takes.
//!
//! In: how many runs there are, and which one this is. Out: the worlds at which its paths begin, with how each is reached.
//!
//! Every run walks the first steps of all paths, layer by layer: layer `k` holds the worlds that are reached by exactly `k`
//! steps, each with the number of paths of that length to it. A world that is reached by paths of two lengths stands in two
//! layers, so each path of at least `k` steps passes exactly one place of layer `k`. The places of the first layer that is
//! wide enough are dealt out in turn. So the paths of all runs together are those of one run, and none belongs to two.

use std::collections::HashSet;

use hashbrown::HashMap;
use num_bigint::BigUint;
use num_traits::One;

use super::graph::Rank;
use super::look::{Successor, Visitor, visit};
use super::tally::Tally;
use super::{FaultLevel, Shard};
use crate::engine::embedded::Embedded;
use crate::kernel::{Unsupported, World};

/// Places for each run: with many, the runs take about the same time.
const PLACES_FOR_A_RUN: usize = 16;
/// Layers after which a scenario is too narrow to be divided any further.
const LAYERS_MAX: u32 = 64;

/// A world at which paths begin.
#[derive(Clone, Debug)]
pub struct Place {
    /// The world, as [`World::encode`] writes it, and a hash of that.
    pub key: Vec<u8>,
    /// The hash.
    pub hash: u64,
    /// How simple it is, by the steps of its layer.
    pub rank: Rank,
    /// Number of paths of that length to it.
    pub paths: BigUint,
    /// The first of them in the order of [`super::graph::Graph::path`]: positions among the choices.
    pub first: Vec<u32>,
}

/// The layers before the first place, walked by every run.
#[derive(Default)]
pub struct Prefix {
    /// Places of this run.
    pub places: Vec<Place>,
    /// What was seen in the layers before, once for each world; its worlds are positions in `firsts`.
    pub tally: Tally,
    /// The first path to each world of those layers.
    pub firsts: Vec<Vec<u32>>,
    /// Paths that end in those layers, and those of them without faults.
    pub ended: (BigUint, BigUint),
    /// Worlds by number of faults.
    pub by_faults: Vec<FaultLevel>,
}

/// Walks the first layers and takes this run's places.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn prefix(engine: &mut Embedded, first: Place, shard: Shard) -> Result<Prefix, Unsupported> {
    let shape = engine.start().shape();
    let mut prefix = Prefix { tally: Tally::new(&engine.scenario.invariants), ..Prefix::default() };
    let mut known: HashSet<Vec<u8>> = HashSet::new();
    let mut visitor = Visitor::default();
    let mut layer = vec![first];
    for steps in 0..LAYERS_MAX {
        if layer.is_empty() || layer.len() >= PLACES_FOR_A_RUN * shard.of as usize {
            break;
        }
        let mut next: Vec<Place> = Vec::new();
        let mut at: HashMap<Vec<u8>, usize> = HashMap::new();
        for place in layer {
            let world = World::decode(&place.key, shape);
            let visited = visit(engine, &world, steps, &mut visitor)?;
            if visited.look.complete {
                prefix.ended.0 += &place.paths;
                if place.rank.faults == 0 {
                    prefix.ended.1 += &place.paths;
                }
            }
            prefix.tally.coverage.add(visited.news);
            if known.insert(place.key) {
                prefix.tally.deliveries += visited.deliveries;
                prefix.tally.add(prefix.firsts.len() as u32, place.rank, visited.look);
                prefix.firsts.push(place.first.clone());
                let level = FaultLevel { faults: u32::from(place.rank.faults), worlds: 1, expanded: 1 };
                level.add_to(&mut prefix.by_faults);
            }
            // Layers stay sorted by their first paths, because each world's steps are taken in that order.
            let mut successors: Vec<(usize, Successor)> = visited.successors.into_iter().enumerate().collect();
            successors.sort_by_key(|(ordinal, successor)| (successor.rank, *ordinal));
            for (ordinal, Successor { key, hash, rank, multiplicity }) in successors {
                let paths = &place.paths * multiplicity;
                match at.get(&key) {
                    Some(&at) => next[at].paths += paths,
                    None => {
                        at.insert(key.clone(), next.len());
                        let first = [place.first.as_slice(), &[ordinal as u32]].concat();
                        next.push(Place { key, hash, rank, paths, first });
                    }
                }
            }
        }
        layer = next;
    }
    let ours = layer.into_iter().enumerate().filter(|(at, _)| *at as u32 % shard.of == shard.index - 1);
    prefix.places = ours.map(|(_, place)| place).collect();
    Ok(prefix)
}

impl Place {
    /// The beginning of all paths.
    pub fn start(first: Successor) -> Place {
        let Successor { key, hash, rank, .. } = first;
        Place { key, hash, rank, paths: BigUint::one(), first: Vec::new() }
    }
}
