//! Counts interleavings: paths from the first world to complete ones, without walking them.
//!
//! Steps always go on (every step that could repeat has a budget in the world), so the graph has no cycle and the number of
//! paths from a world is the sum over its steps. Should there be a cycle, the count is unbounded and none is given.

use num_bigint::BigUint;
use num_traits::{One, Zero};

use super::graph::Graph;

/// Number of paths through worlds that `within` accepts; whoever has left them does not come back. A complete world ends one
/// path; optional steps after it are counted as paths of their own.
pub fn paths(graph: &Graph, within: impl Fn(u32) -> bool) -> Option<BigUint> {
    let mut counts: Vec<Option<BigUint>> = vec![None; graph.len()];
    let mut open = vec![false; graph.len()];
    let mut all = BigUint::zero();
    for root in graph.roots().iter().filter(|root| within(root.at)) {
        count(graph, root.at, &within, &mut counts, &mut open)?;
        all += counts[root.at as usize].as_ref().expect("bug in canloom: just counted") * &root.paths;
    }
    Some(all)
}

fn count(
    graph: &Graph,
    from: u32,
    within: &impl Fn(u32) -> bool,
    counts: &mut [Option<BigUint>],
    open: &mut [bool],
) -> Option<()> {
    if counts[from as usize].is_some() {
        return Some(());
    }
    let mut stack: Vec<(u32, usize)> = vec![(from, 0)];
    open[from as usize] = true;
    while let Some((at, next)) = stack.pop() {
        let steps = graph.steps(at);
        let waiting = steps[next..].iter().position(|edge| within(edge.to) && counts[edge.to as usize].is_none());
        if let Some(offset) = waiting {
            let to = steps[next + offset].to;
            if std::mem::replace(&mut open[to as usize], true) {
                return None;
            }
            stack.push((at, next + offset));
            stack.push((to, 0));
            continue;
        }
        let mut count = if graph.is_complete(at) { BigUint::one() } else { BigUint::zero() };
        for edge in steps.iter().filter(|edge| within(edge.to)) {
            let below = counts[edge.to as usize].as_ref().expect("bug in canloom: counted before");
            count += below * edge.multiplicity;
        }
        counts[at as usize] = Some(count);
    }
    Some(())
}
