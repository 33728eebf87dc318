//! The loop over worlds.
//!
//! In: an installed scenario, and what an earlier run saved. Out: the graph of worlds and the sums over them; what they
//! mean is concluded in [`super::conclude`].

use std::time::{Duration, Instant};

use super::checkpoint::Checkpoint;
use super::estimate::Levels;
use super::graph::{Edge, Graph};
use super::look::{Successor, Visit};
use super::prefix::{self, Place, Prefix};
use super::tally::Tally;
use super::workers::{self, Deadline};
use super::{Budget, ExploreError, Progress, Shard};
use crate::engine::embedded::Embedded;
use crate::kernel::Unsupported;

/// Worlds visited before their successors are added: enough to keep threads busy, few enough to wait in memory.
const CHUNK: usize = 2048;

/// A search that runs.
pub(super) struct Search<'a> {
    pub(super) engine: &'a mut Embedded,
    pub(super) checkpoint: Option<&'a mut Checkpoint>,
    pub(super) graph: Graph,
    pub(super) prefix: Prefix,
    pub(super) tally: Tally,
    pub(super) levels: Levels,
    pub(super) remaining: Option<u64>,
    pub(super) expanded: u64,
    pub(super) out_of_budget: bool,
    pub(super) interrupted: bool,
    pub(super) out_of_memory: Option<String>,
    pub(super) began: Instant,
    /// Time that earlier runs spent.
    pub(super) earlier: Duration,
    pub(super) executions_before: u64,
    /// Share of the memory that was used when the search began.
    base: f64,
}

impl<'a> Search<'a> {
    /// A search that has found nothing yet.
    pub(super) fn new(engine: &'a mut Embedded, checkpoint: Option<&'a mut Checkpoint>) -> Search<'a> {
        let executions_before = engine.kernel.counters().executions;
        Search {
            tally: Tally::new(&engine.scenario.invariants),
            graph: Graph::default(),
            prefix: Prefix::default(),
            levels: Levels::new(engine),
            remaining: None,
            expanded: 0,
            out_of_budget: false,
            interrupted: false,
            out_of_memory: None,
            began: Instant::now(),
            earlier: Duration::ZERO,
            executions_before,
            base: engine.allowance().ceiling.used(),
            engine,
            checkpoint,
        }
    }

    /// Searches until nothing is left or the budget ends.
    pub(super) fn run(&mut self, budget: &Budget, progress: &mut dyn FnMut(&Progress)) -> Result<(), ExploreError> {
        let mut first = self.engine.start().clone();
        self.engine.kernel.canonicalize(&mut first);
        let first = Place::start(Successor::new(self.engine, &first, 0, 1));
        match budget.shard {
            None => {
                self.levels.find(first.rank);
                self.graph.add_root(first);
            }
            Some(shard) => self.add_share(first, shard, progress)?,
        }
        while self.resume(progress)? {}
        self.began = Instant::now();
        self.go_on(budget, progress)?;
        self.save(true)
    }

    /// Takes the share of one of several runs. What the tables hold after that is the first record of a checkpoint, so that
    /// a later run finds them so before it walks the same way.
    fn add_share(
        &mut self,
        first: Place,
        shard: Shard,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<(), ExploreError> {
        let is_known = self.resume(progress)?;
        self.prefix = prefix::prefix(self.engine, first, shard)?;
        self.tally.absorb(&self.prefix.tally);
        for place in std::mem::take(&mut self.prefix.places) {
            self.levels.find(place.rank);
            self.graph.add_root(place);
        }
        if is_known { Ok(()) } else { self.save(true) }
    }

    fn go_on(&mut self, budget: &Budget, progress: &mut dyn FnMut(&Progress)) -> Result<(), ExploreError> {
        // Once, and before threads ask for it.
        self.engine.prepare(budget.time.map(|time| self.began + time));
        let mut forks: Vec<Embedded> = (1..budget.workers).map(|_| self.engine.fork()).collect();
        let deadline = Deadline { began: self.began, ..Deadline::of(self.engine, budget.time) };
        let mut chunk = Vec::new();
        loop {
            self.remaining = self.levels.remaining();
            progress(&self.progress());
            self.graph.next(CHUNK, &mut chunk);
            if chunk.is_empty() {
                return Ok(());
            }
            self.engine.allowance().ceiling.set_worlds(self.graph.bytes());
            if budget.gives_way && self.gives_way(budget) {
                chunk.iter().for_each(|&at| self.graph.give_up(at));
                return Ok(());
            }
            let before = self.progress();
            let executions_before = self.executions_before;
            let mut tick = |done, executions| {
                let executions = executions - executions_before;
                let remaining = before.remaining.map(|worlds| worlds.saturating_sub(done));
                progress(&Progress { expanded: before.expanded + done, executions, remaining, ..before });
            };
            let visits = workers::visit_all(self.engine, &mut forks, &self.graph, &chunk, &deadline, &mut tick);
            if !self.add(&chunk, visits, &deadline)? {
                return Ok(());
            }
            self.save(false)?;
        }
    }

    /// Whether half of the time or of the memory is used and the rest will not suffice, as far as that can be told.
    ///
    /// Where it cannot, half of the time goes to sampling, and none of the memory: a search that would have fitted must not
    /// become inconclusive for want of an estimate, and without a budget nobody waits.
    fn gives_way(&mut self, budget: &Budget) -> bool {
        // Worlds that are left, as a multiple of those that took what was used so far.
        let left = self.remaining.map(|worlds| worlds as f64 / self.expanded.max(1) as f64);
        // What the canisters took before the search began does not grow with it.
        let is_over = |base: f64, used: f64, unknown| {
            used >= 0.5 && left.map_or(unknown, |left| base + (used - base) * (1.0 + left) > 1.0)
        };
        let used = budget.time.map_or(0.0, |time| self.began.elapsed().as_secs_f64() / time.as_secs_f64().max(1e-9));
        self.out_of_budget = is_over(0.0, used, true);
        let ceiling = &self.engine.allowance().ceiling;
        if !self.out_of_budget && is_over(self.base, ceiling.used(), false) {
            let what = format!("the search would need more than the limit of {} (--max-memory)", ceiling.text());
            self.out_of_memory = Some(what);
        }
        self.out_of_budget || self.out_of_memory.is_some()
    }

    /// Adds visits in the order of the worlds; whether the search goes on.
    fn add(&mut self, worlds: &[u32], visits: workers::Visits, deadline: &Deadline) -> Result<bool, Unsupported> {
        let is_stopped = visits.is_stopped;
        let mut visits = worlds.iter().zip(visits.by_position);
        while let Some((&at, visited)) = visits.next() {
            let error = match visited {
                Some(Ok(visit)) => {
                    self.add_visit(at, visit);
                    continue;
                }
                Some(Err(error)) => Some(error),
                None if !is_stopped => {
                    let rest: Vec<u32> = std::iter::once(at).chain(visits.map(|(&at, _)| at)).collect();
                    self.graph.give_back(&rest);
                    return Ok(true);
                }
                None => None,
            };
            let ceiling = &self.engine.allowance().ceiling;
            match error {
                // What was found so far is kept where only memory is missing.
                Some(error) if ceiling.is_exceeded() => self.out_of_memory = Some(error.to_string()),
                // Perhaps in the midst of an execution.
                _ if deadline.interrupt.is_requested() => self.interrupted = true,
                Some(error) => return Err(error),
                None if deadline.is_over() => self.out_of_budget = true,
                None => self.out_of_memory = Some(ceiling.refuse("what the search keeps")),
            }
            self.graph.give_up(at);
            visits.for_each(|(&at, _)| self.graph.give_up(at));
            return Ok(false);
        }
        Ok(true)
    }

    fn add_visit(&mut self, at: u32, visit: Visit) {
        let Visit { mut look, news, successors, deliveries } = visit;
        let shape = self.engine.start().shape();
        let mut journal = self.checkpoint.as_mut().map(|checkpoint| checkpoint.journal());
        if let Some(journal) = &mut journal {
            journal.note(&mut look, &news, deliveries, successors.len());
        }
        let mut edges: Vec<Edge> = Vec::with_capacity(successors.len());
        for Successor { key, hash, rank, multiplicity } in successors {
            let known = self.graph.len();
            let to = self.graph.add(&key, hash, rank);
            let is_new = to as usize == known;
            if is_new {
                self.levels.find(rank);
            }
            match &mut journal {
                Some(journal) if is_new => journal.note_new(&self.graph.world(to, shape), multiplicity),
                Some(journal) => journal.note_known(to, multiplicity),
                None => {}
            }
            edges.push(Edge { to, multiplicity });
        }
        self.graph.expanded(at, &edges, look.complete);
        self.expanded += 1;
        self.levels.expand(self.graph.rank(at));
        self.tally.deliveries += deliveries;
        self.tally.coverage.add(news);
        self.tally.add(at, self.graph.rank(at), look);
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Progress {
        Progress {
            worlds: (self.graph.len() + self.prefix.firsts.len()) as u64,
            expanded: self.expanded + self.prefix.firsts.len() as u64,
            executions: self.engine.kernel.counters().executions - self.executions_before,
            violations: self.tally.violations,
            remaining: self.remaining,
            resuming: false,
        }
    }
}
