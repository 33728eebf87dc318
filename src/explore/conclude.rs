//! What a search that has ended says.
//!
//! In: the graph of worlds and the sums over them. Out: [`Explored`]: counts, and the simplest way into each violation.

use super::count;
use super::found::{Completeness, Explored};
use super::graph::Graph;
use super::search::Search;
use super::tally::Place;
use super::walk::finding;
use super::{ExploreError, Finding, Shard};
use crate::kernel::Cuts;
use crate::oracle;
use crate::scenario::{BoundName, Bounds};

impl Search<'_> {
    /// Counts interleavings and names the findings.
    pub(super) fn finish(self, shard: Option<Shard>) -> Result<Explored, ExploreError> {
        let Search { engine, graph, prefix, tally, .. } = self;
        let executions = engine.kernel.counters().executions - self.executions_before;
        let elapsed = self.earlier + self.began.elapsed();
        // What was refused without an error, such as a module that was to be installed, made the canister go another way.
        let ceiling = &engine.allowance().ceiling;
        let out_of_memory = self.out_of_memory.or_else(|| ceiling.is_exceeded().then(|| ceiling.refuse("a module")));
        let within = cut_by(tally.cuts, &engine.scenario.bounds);
        let completeness = match (self.out_of_budget, tally.cut_by_depth, tally.cut_by_timers) {
            _ if out_of_memory.is_some() => Completeness::Memory,
            _ if self.interrupted => Completeness::Interrupted,
            (true, _, _) => Completeness::Budget,
            (false, true, _) => Completeness::Depth,
            (false, false, true) => Completeness::Timers,
            (false, false, false) if !within.is_empty() => Completeness::Within,
            (false, false, false) => Completeness::Exhaustive,
        };
        let counted = !completeness.is_cut_short();
        let (mut all, mut without) = (None, None);
        if counted {
            all = count::paths(&graph, |_| true);
            without = count::paths(&graph, |world| graph.rank(world).faults == 0);
            // Paths that end before they are divided belong to the first share.
            if shard.is_some_and(|shard| shard.index == 1) {
                all = all.map(|all| all + &prefix.ended.0);
                without = without.map(|without| without + &prefix.ended.1);
            }
        }
        let mut findings = Vec::new();
        for invariant in 0..tally.found.len() {
            let in_prefix = prefix.tally.found.get(invariant).and_then(Option::as_ref);
            let in_graph = tally.found[invariant].as_ref();
            let worlds = [in_prefix, in_graph].into_iter().flatten().map(|found| found.worlds).sum();
            let (rank, path) = match (in_prefix, in_graph) {
                (Some(a), b) if b.is_none_or(|b| a.rank < b.rank) => {
                    // Worlds and their steps come in the order of their first paths.
                    let Place { world, step } = a.simplest[0];
                    (a.rank, [prefix.firsts[world as usize].as_slice(), step.as_slice()].concat())
                }
                (_, Some(b)) => (b.rank, path(&graph, &b.simplest)),
                _ => continue,
            };
            findings.push(finding(engine, invariant, rank, worlds, &path)?);
        }
        findings.sort_by_key(Finding::rank);
        let mut by_faults = graph.by_faults();
        prefix.by_faults.into_iter().for_each(|level| level.add_to(&mut by_faults));
        let sometimes = tally.sometimes.iter().enumerate();
        Ok(Explored {
            completeness,
            within,
            unfinished: graph
                .unfinished()
                .map(|rank| (u32::from(rank.faults), u32::from(rank.calls), u32::from(rank.switches))),
            interleavings: all,
            interleavings_without_faults: without,
            worlds: (graph.len() + prefix.firsts.len()) as u64,
            executions,
            deliveries: tally.deliveries,
            complete: tally.complete,
            findings,
            sometimes: sometimes.filter_map(|(at, seen)| Some((at, (*seen)?))).collect(),
            exercised: tally.exercised,
            refused: engine.refused(tally.exercised.ok, tally.exercised.err),
            undecided: oracle::undecided(engine),
            by_faults,
            tasks: engine.kernel.tasks_that_may_run(),
            timers: tally.timers.into_iter().collect(),
            coverage: tally.coverage.table(engine),
            outcomes: tally.outcomes,
            elapsed,
            out_of_memory,
            shard,
            sampled: None,
        })
    }
}

/// The least path to one of these worlds, and on by its step if it is one from there that matters.
fn path(graph: &Graph, places: &[Place]) -> Vec<u32> {
    let worlds: Vec<u32> = places.iter().map(|place| place.world).collect();
    let (mut path, world) = graph.path(&worlds);
    let reached = places.iter().find(|place| place.world == world);
    path.extend(reached.and_then(|place| place.step));
    path
}

/// The bounds that cut something off, with their numbers.
fn cut_by(cuts: Cuts, bounds: &Bounds) -> Vec<(BoundName, u32)> {
    let cut = [
        (cuts.calls, BoundName::Calls),
        (cuts.in_flight, BoundName::InFlight),
        (cuts.faults, BoundName::Faults),
        (cuts.switches, BoundName::Switches),
        (cuts.depth, BoundName::Depth),
        (cuts.times, BoundName::Time),
        (cuts.timers, BoundName::Timers),
        (cuts.heartbeats, BoundName::Heartbeats),
    ];
    cut.into_iter().filter(|(is_cut, _)| *is_cut).filter_map(|(_, name)| Some((name, bounds.get(name)?))).collect()
}
