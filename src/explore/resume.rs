//! A search goes the way of earlier runs, and saves its own.
//!
//! In: the visits of a checkpoint. Out: the same graph and the same sums as in the runs that made them, since they are added
//! by the same code in the same order.

use super::checkpoint::{Replay, Target};
use super::estimate::Levels;
use super::graph::{Edge, Graph};
use super::look::Successor;
use super::search::Search;
use super::tally::Tally;
use super::{CheckpointError, ExploreError, Progress};
use crate::engine::embedded::Embedded;

impl Search<'_> {
    /// Goes the way of earlier runs by one record; `false` if there is none.
    pub(super) fn resume(&mut self, progress: &mut dyn FnMut(&Progress)) -> Result<bool, ExploreError> {
        let Some(checkpoint) = self.checkpoint.take() else { return Ok(false) };
        let ceiling = &self.engine.allowance().ceiling;
        ceiling.set_worlds(self.graph.bytes());
        if !ceiling.is_kept() {
            let what = "what the checkpoint holds";
            return Err(CheckpointError::Outside(ceiling.refuse(what)).into());
        }
        progress(&Progress { resuming: true, ..self.progress() });
        let Search { engine, graph, tally, levels, expanded, .. } = self;
        let mut add =
            |engine: &Embedded, visit: Replay| replay(engine, graph, tally, levels, visit).map(|()| *expanded += 1);
        let is_more = checkpoint.resume(engine, &mut add)?;
        self.earlier = checkpoint.earlier();
        self.checkpoint = Some(checkpoint);
        Ok(is_more)
    }

    /// Saves to the checkpoint if there is one and it is time, or anyway.
    pub(super) fn save(&mut self, anyway: bool) -> Result<(), ExploreError> {
        let spent = self.earlier + self.began.elapsed();
        match &mut self.checkpoint {
            Some(checkpoint) if anyway || checkpoint.is_due() => Ok(checkpoint.save(self.engine, spent)?),
            _ => Ok(()),
        }
    }
}

/// Adds a visit that an earlier run made, to the worlds and sums that it was added to then.
fn replay(
    engine: &Embedded,
    graph: &mut Graph,
    tally: &mut Tally,
    levels: &mut Levels,
    visit: Replay,
) -> Result<(), String> {
    let mut next = Vec::new();
    graph.next(1, &mut next);
    let at = *next.first().ok_or("it holds more visits than there are worlds")?;
    let steps = graph.rank(at).steps + 1;
    let mut edges = Vec::with_capacity(visit.steps.len());
    for step in visit.steps {
        let multiplicity = step.multiplicity;
        let known = graph.len();
        let to = match step.to {
            Target::Known(to) if (to as usize) < known => {
                graph.shorten(to, steps);
                to
            }
            Target::Known(_) => return Err("a step leads to no world".to_string()),
            Target::New(world) => {
                let Successor { key, hash, rank, .. } = Successor::new(engine, &world, steps, multiplicity);
                let to = graph.add(&key, hash, rank);
                if to as usize != known {
                    return Err("it holds a world twice".to_string());
                }
                levels.find(rank);
                to
            }
        };
        edges.push(Edge { to, multiplicity });
    }
    graph.expanded(at, &edges, visit.look.complete);
    levels.expand(graph.rank(at));
    tally.deliveries = tally.deliveries.saturating_add(visit.deliveries);
    tally.coverage.add(visit.news);
    tally.add(at, graph.rank(at), visit.look);
    Ok(())
}
