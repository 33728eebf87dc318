//! Everything simpler than a schedule: is there a simpler way to the same violation?
//!
//! In: an invariant and a rank. Out: each way to its first violation that has a lower rank, until one of them is accepted, and
//! whether all were seen. The search is the one of [`super::search`] without its sums: it ends at the rank, and it does not
//! go on from a world that violates the invariant, because whatever leads through it violates it before.

use super::graph::{Edge, Graph, Rank};
use super::look::Successor;
use super::prefix::Place;
use super::walk;
use super::workers::Deadline;
use crate::engine::embedded::Embedded;
use crate::invariant::Before;
use crate::kernel::Unsupported;
use crate::oracle;
use crate::schedule::Step;

/// Most ways that are looked at: two bugs may share a world, and then each way there has to be asked whose it is.
const WAYS_MAX: usize = 2_000;
/// Most equally short ways to one world that are looked at.
const WAYS_EACH: usize = 64;
/// Worlds between two looks at the memory.
const WORLDS_BETWEEN_LOOKS: u64 = 64;

/// A way to a first violation, shown to the caller: the rank below which the search goes on, if the way is accepted.
pub(crate) type Accept<'a> = dyn FnMut(&mut Embedded, Vec<Step>) -> Result<Option<Rank>, Unsupported> + 'a;

/// Looks at all ways with a rank below this one; whether that was possible within the time and the memory.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub(crate) fn below(
    engine: &mut Embedded,
    invariant: usize,
    limit: Rank,
    deadline: &Deadline,
    accept: &mut Accept<'_>,
) -> Result<bool, Unsupported> {
    match simplest(engine, invariant, limit, deadline, accept)? {
        Some(found) => others(engine, &found, false, deadline, accept),
        None => Ok(false),
    }
}

/// Looks at the simplest ways to each first violation: all that are equally short, up to a number; whether time and memory
/// sufficed for that.
///
/// # Errors
/// As [`below`].
pub(crate) fn each(
    engine: &mut Embedded,
    invariant: usize,
    deadline: &Deadline,
    accept: &mut Accept<'_>,
) -> Result<bool, Unsupported> {
    let most = Rank { faults: u16::MAX, calls: u16::MAX, switches: u8::MAX, steps: u32::MAX };
    match simplest(engine, invariant, most, deadline, accept)? {
        // One was accepted.
        Some(found) if found.limit < most => Ok(true),
        Some(found) => others(engine, &found, true, deadline, accept),
        None => Ok(false),
    }
}

/// Looks at the simplest way to each first violation with a rank below this one; `None` if time or memory ended before.
///
/// # Errors
/// As [`below`].
fn simplest(
    engine: &mut Embedded,
    invariant: usize,
    mut limit: Rank,
    deadline: &Deadline,
    accept: &mut Accept<'_>,
) -> Result<Option<Found>, Unsupported> {
    let mut first = engine.start().clone();
    engine.kernel.canonicalize(&mut first);
    let shape = first.shape();
    let mut graph = Graph::default();
    graph.add_root(Place::start(Successor::new(engine, &first, 0, 1)));
    let (mut chunk, mut choices) = (Vec::new(), Vec::new());
    let mut ends: Vec<End> = Vec::new();
    let mut worlds = 0u64;
    loop {
        graph.next(1, &mut chunk);
        let Some(&at) = chunk.first() else { break };
        let rank = graph.rank(at);
        if rank >= limit {
            break;
        }
        worlds += 1;
        let looks = worlds.is_multiple_of(WORLDS_BETWEEN_LOOKS);
        if deadline.is_over() || looks && !engine.allowance().ceiling.is_kept() {
            return Ok(None);
        }
        let world = graph.world(at, shape);
        let mut here: Vec<End> = Vec::new();
        let mut edges: Vec<Edge> = Vec::new();
        if oracle::violated_in(engine, &world, Some(invariant))?.is_empty() {
            engine.kernel.choices(&world, &mut choices)?;
            let before = Before::of(engine, &world)?;
            for (ordinal, choice) in choices.iter().enumerate() {
                let (mut next, _) = engine.kernel.apply(&world, choice)?;
                let breaks = Before::breaks(before.as_ref(), engine, &next, invariant)?;
                engine.kernel.canonicalize(&mut next);
                let successor = Successor::new(engine, &next, rank.steps + 1, choice.multiplicity);
                if breaks {
                    here.push(End { world: at, step: Some(ordinal as u32), rank: successor.rank });
                }
                let to = graph.add(&successor.key, successor.hash, successor.rank);
                edges.push(Edge { to, multiplicity: successor.multiplicity });
            }
        } else {
            here.push(End { world: at, step: None, rank });
        }
        graph.expanded(at, &edges, false);
        here.sort_by_key(|end| end.rank);
        for end in here {
            if end.rank >= limit {
                break;
            }
            let (mut path, _) = graph.path(&[at]);
            path.extend(end.step);
            let steps = walk::steps(engine, &path)?;
            match accept(engine, steps)? {
                Some(rank) => limit = rank,
                None => ends.push(end),
            }
        }
    }
    Ok(Some(Found { graph, ends, limit }))
}

/// What was found of one invariant: where ways end that were not accepted.
struct Found {
    graph: Graph,
    ends: Vec<End>,
    /// The rank up to which was looked.
    limit: Rank,
}

/// Where a way ends: in a world, or with a step from it.
struct End {
    world: u32,
    step: Option<u32>,
    rank: Rank,
}

/// Looks at the ways that are not the least to where they end; whether these are all.
fn others(
    engine: &mut Embedded,
    found: &Found,
    are_shortest: bool,
    deadline: &Deadline,
    accept: &mut Accept<'_>,
) -> Result<bool, Unsupported> {
    let Found { graph, ends, limit } = found;
    let mut limit = *limit;
    if ends.is_empty() {
        return Ok(true);
    }
    let mut before: Vec<Vec<(u32, u32)>> = vec![Vec::new(); graph.len()];
    for at in 0..graph.len() as u32 {
        for (ordinal, edge) in graph.steps(at).iter().enumerate() {
            before[edge.to as usize].push((at, ordinal as u32));
        }
    }
    let root = graph.roots()[0].at;
    let mut ways = 0;
    for end in ends {
        // Something simpler was found meanwhile.
        if (end.rank.faults, end.rank.calls, end.rank.switches) > (limit.faults, limit.calls, limit.switches) {
            continue;
        }
        let same = (end.rank.faults, end.rank.calls, end.rank.switches) == (limit.faults, limit.calls, limit.switches);
        let longest = match (are_shortest, same) {
            (true, _) => end.rank.steps,
            (false, true) => limit.steps.saturating_sub(1),
            (false, false) => u32::MAX,
        };
        let mut here = 0;
        // Backwards: a world, and the path from there to the end.
        let mut stack: Vec<(u32, Vec<u32>)> = vec![(end.world, end.step.into_iter().collect())];
        while let Some((at, path)) = stack.pop() {
            if deadline.is_over() || !engine.allowance().ceiling.is_kept() {
                return Ok(false);
            }
            if at == root {
                ways += 1;
                here += 1;
                if are_shortest && here > WAYS_EACH {
                    break;
                }
                if !are_shortest && ways > WAYS_MAX {
                    return Ok(false);
                }
                let path: Vec<u32> = path.into_iter().rev().collect();
                let steps = walk::steps(engine, &path)?;
                match accept(engine, steps)? {
                    Some(_) if are_shortest => return Ok(true),
                    Some(rank) => {
                        limit = rank;
                        break;
                    }
                    None => continue,
                }
            }
            for &(from, ordinal) in &before[at as usize] {
                if path.len() as u32 + 1 + graph.rank(from).steps <= longest {
                    let mut longer = path.clone();
                    longer.push(ordinal);
                    stack.push((from, longer));
                }
            }
        }
    }
    Ok(true)
}
