//! How likely a violation is: the share of the interleavings that come to it.
//!
//! In: worlds on the way of a counterexample. Out: for each of them how many interleavings go on from there within the bounds,
//! and how many of them violate the invariant on the way. Both are counted, not sampled: interleavings are the paths of the
//! search's graph ([`crate::explore`]), and every step of a path counts alike, which is not how often a replica takes it.

use std::collections::HashMap;

use num_bigint::BigUint;
use num_traits::{One, Zero};

use crate::engine::embedded::Embedded;
use crate::invariant::Before;
use crate::kernel::{Unsupported, World};
use crate::oracle;

/// Most worlds that are counted; beyond that nothing is said.
const WORLDS_MAX: usize = 20_000;

/// Interleavings from a world on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Those that violate the invariant.
    pub violating: BigUint,
    /// All of them.
    pub all: BigUint,
}

impl Share {
    /// In percent.
    pub fn percent(&self) -> f64 {
        // Exact up to the last digit that is shown.
        let scaled = &self.violating * 1_000_000u32 / self.all.clone().max(BigUint::one());
        u64::try_from(scaled).map_or(100.0, |parts| parts as f64 / 10_000.0)
    }
}

struct Node {
    /// Where steps lead: world, how many equal steps, whether the step itself violates the invariant.
    steps: Vec<(usize, u32, bool)>,
    complete: bool,
    violated: bool,
}

/// The share from each of these worlds on; `None` if there are too many worlds, or interleavings without end.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub(super) fn shares(
    engine: &mut Embedded,
    invariant: usize,
    worlds: &[World],
) -> Result<Option<Vec<Share>>, Unsupported> {
    let mut numbers: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut waiting: Vec<World> = Vec::new();
    let mut number = |world: World, waiting: &mut Vec<World>| {
        let mut key = Vec::new();
        world.encode(&mut key);
        let next = numbers.len();
        *numbers.entry(key).or_insert_with(|| {
            waiting.push(world);
            next
        })
    };
    let mut asked = Vec::with_capacity(worlds.len());
    for world in worlds {
        let mut world = world.clone();
        engine.kernel.canonicalize(&mut world);
        asked.push(number(world, &mut waiting));
    }
    let mut nodes: Vec<Node> = Vec::new();
    let mut choices = Vec::new();
    while nodes.len() < waiting.len() {
        if waiting.len() > WORLDS_MAX {
            return Ok(None);
        }
        let world = waiting[nodes.len()].clone();
        engine.kernel.choices(&world, &mut choices)?;
        let complete = engine.kernel.is_complete(&world, &choices);
        let violated = !oracle::violated_in(engine, &world, Some(invariant))?.is_empty();
        let before = Before::of(engine, &world)?;
        let mut steps = Vec::with_capacity(choices.len());
        for choice in &choices {
            let mut next = engine.kernel.apply(&world, choice)?.0;
            let breaks = Before::breaks(before.as_ref(), engine, &next, invariant)?;
            engine.kernel.canonicalize(&mut next);
            steps.push((number(next, &mut waiting), choice.multiplicity, breaks));
        }
        nodes.push(Node { steps, complete, violated });
    }
    let Some(counts) = counted(&nodes, &asked) else { return Ok(None) };
    Ok(Some(asked.iter().map(|&at| counts[at].clone().expect("bug in canloom: just counted")).collect()))
}

/// Counts from the ends back; `None` if steps go round in a circle.
fn counted(nodes: &[Node], asked: &[usize]) -> Option<Vec<Option<Share>>> {
    let mut counts: Vec<Option<Share>> = vec![None; nodes.len()];
    let mut open = vec![false; nodes.len()];
    for &root in asked {
        let mut stack = vec![root];
        while let Some(&at) = stack.last() {
            if counts[at].is_some() {
                stack.pop();
                continue;
            }
            open[at] = true;
            let missing = nodes[at].steps.iter().map(|(to, ..)| *to).find(|to| counts[*to].is_none());
            if let Some(to) = missing {
                if open[to] {
                    return None;
                }
                stack.push(to);
                continue;
            }
            let node = &nodes[at];
            let mut all = if node.complete { BigUint::one() } else { BigUint::zero() };
            let mut violating = BigUint::zero();
            for &(to, multiplicity, breaks) in &node.steps {
                let below = counts[to].as_ref().expect("bug in canloom: counted before");
                all += &below.all * multiplicity;
                violating += if breaks { &below.all } else { &below.violating } * multiplicity;
            }
            if node.violated {
                violating.clone_from(&all);
            }
            counts[at] = Some(Share { violating, all });
            open[at] = false;
            stack.pop();
        }
    }
    Some(counts)
}
