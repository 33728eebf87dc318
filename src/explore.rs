//! The search over worlds: the only loop over executions.
//!
//! In: an installed scenario. Out: [`Explored`]: verdicts, exact counts, the simplest violation of each invariant.
//!
//! 1. Start from the world in which no call has started.
//! 2. Take the next world in order of faults, then calls, then context switches where these are bounded, then deliveries; so
//!    the first violation is the simplest.
//! 3. Observe it and check every invariant. A violating world is expanded like any other.
//! 4. Make each legal step; bring the result into canonical form; keep it if it is new.
//! 5. When no world is left, count the paths from the first world to complete ones: these are the interleavings.
//!
//! Worlds of one rank are visited by several threads, and what they found is added in a fixed order, so the result is that of
//! one thread. Executions are shared by the kernel's memo; equal worlds are merged here. No reduction beyond merging is applied, so
//! every reachable global state is visited and invariants across canisters are checked at every cut.

mod checkpoint;
mod count;
pub(crate) mod coverage;
mod estimate;
mod graph;
pub(crate) mod look;
mod prefix;
mod resume;
pub(crate) mod tally;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use crate::engine::embedded::Embedded;
use crate::kernel::{Cuts, Permutation, Unsupported};
use crate::scenario::{BoundName, Bounds, Expect, When};
use crate::schedule::{Root, Schedule, StepKind, Task};
use crate::scheduler::Strategy;

pub use coverage::Coverage;
use estimate::Levels;
pub use graph::Rank;
use graph::{Edge, Graph};
use look::{Successor, Visit};
use prefix::{Place, Prefix};
use tally::Tally;
use workers::Deadline;

pub use checkpoint::{Checkpoint, CheckpointError, identity};

/// Worlds visited before their successors are added: enough to keep threads busy, few enough to wait in memory.
const CHUNK: usize = 2048;

/// How much of the search one run does, and with what; not a limit on the search space.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Stop after this time; an execution that runs is not interrupted.
    pub time: Option<Duration>,
    /// Threads that visit worlds. Nothing that is found depends on their number.
    pub workers: usize,
    /// The share of one of several runs.
    pub shard: Option<Shard>,
    /// Whether to stop at half of the time, or of the memory, if the rest does not seem to suffice: sampling takes over then.
    pub gives_way: bool,
}

impl Default for Budget {
    /// The whole search on one thread, without end.
    fn default() -> Budget {
        Budget { time: None, workers: 1, shard: None, gives_way: false }
    }
}

/// One of several runs that divide a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, from 1.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

/// How far a running search is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Distinct worlds found.
    pub worlds: u64,
    /// Worlds that have been expanded.
    pub expanded: u64,
    /// Wasm executions.
    pub executions: u64,
    /// Violating worlds.
    pub violations: u64,
    /// Estimate of the worlds that are not expanded yet, where there is one.
    pub remaining: Option<u64>,
    /// Whether all of that was found by earlier runs, and is being read back.
    pub resuming: bool,
}

/// What a finding needs (design section 4), from the most to the least alarming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Grade {
    /// No fault.
    A,
    /// A fault that the IC itself, a callee or an administrator produces.
    B,
    /// A callback that really traps.
    C,
    /// A trap that was injected.
    D,
}

/// How far the search came with the worlds of one number of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultLevel {
    /// Faults spent.
    pub faults: u32,
    /// Distinct worlds found.
    pub worlds: u64,
    /// Worlds that were expanded.
    pub expanded: u64,
}

/// The simplest violation of one invariant.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Position in the scenario.
    pub invariant: usize,
    /// Steps that lead there.
    pub schedule: Schedule,
    /// Its place among all ways to violate the invariant: the rank after each step and which choice that step is. The least
    /// one is the finding of a search; empty if it was sampled.
    pub order: Vec<(Rank, u32)>,
    /// Calls started, deliveries made, faults spent on the way.
    pub calls: u32,
    /// Context switches, where they are bounded.
    pub switches: Option<u32>,
    /// Deliveries, starts included, faults not.
    pub deliveries: u32,
    /// Faults.
    pub faults: u32,
    /// What it needs.
    pub grade: Grade,
    /// Number of violating worlds.
    pub worlds: u64,
    /// Why the expression could not be evaluated, if it could not.
    pub error: Option<String>,
}

/// Whether a search is complete, and if not, why; of two parts of a search the greater one says it of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Completeness {
    /// Every world within the bounds was visited.
    Exhaustive,
    /// Every world within bounds was visited that are narrower than the scenario's; [`Explored::within`] says which.
    Within,
    /// Every world was visited except behind more firings of a timer than the bound allows.
    Timers,
    /// Every world was visited except behind chains longer than the depth bound.
    Depth,
    /// The budget ended first.
    Budget,
    /// The limit of memory was reached first.
    Memory,
    /// Schedules were sampled: nothing says how much of the bound they saw.
    Sampled,
}

/// What was sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampled {
    /// How schedules were chosen.
    pub strategy: Strategy,
    /// Seed of all choices.
    pub seed: u64,
    /// Schedules walked.
    pub schedules: u64,
    /// Distinct worlds that they came through.
    pub worlds: u64,
    /// For each violated invariant, by position: the first schedule, from 0, that violates it.
    pub first: Vec<(usize, u64)>,
}

/// Result of a search.
#[derive(Clone, Debug)]
pub struct Explored {
    /// How much of the bound was searched.
    pub completeness: Completeness,
    /// Bounds on context switches and those narrower than the scenario's, as far as they cut something off.
    pub within: Vec<(BoundName, u32)>,
    /// The faults, calls and context switches of the simplest world that was not expanded, if there is one: all simpler ones were.
    pub unfinished: Option<(u32, u32, u32)>,
    /// Interleavings that lead to complete executions, faults included; `None`: not counted, or unbounded.
    pub interleavings: Option<BigUint>,
    /// Those without faults.
    pub interleavings_without_faults: Option<BigUint>,
    /// Distinct worlds.
    pub worlds: u64,
    /// Executions of wasm.
    pub executions: u64,
    /// Steps made that executed a message, memoized ones included.
    pub deliveries: u64,
    /// Complete executions among the worlds.
    pub complete: u64,
    /// The simplest violation of each violated invariant, simplest first.
    pub findings: Vec<Finding>,
    /// For each `sometimes`, by position: whether it was seen.
    pub sometimes: Vec<(usize, bool)>,
    /// Distinct outcomes by (calls started, faults spent), at rest.
    pub outcomes: BTreeMap<(u32, u32), BTreeSet<String>>,
    /// By number of faults, fewest first: how much of it was searched.
    pub by_faults: Vec<FaultLevel>,
    /// Tasks that some canister may run within the bounds.
    pub tasks: Vec<Task>,
    /// Canisters whose timer was set, with the least time that was left to it, in nanoseconds; 0: it came due.
    pub timers: Vec<(u16, u64)>,
    /// Which methods were delivered while which await points were open.
    pub coverage: Coverage,
    /// Time spent; with a checkpoint by all runs together, as far as it was saved.
    pub elapsed: Duration,
    /// What did not fit into memory, if that ended the search.
    pub out_of_memory: Option<String>,
    /// Which share of the search this is, if not all of it.
    pub shard: Option<Shard>,
    /// What was sampled, if anything was.
    pub sampled: Option<Sampled>,
}

impl Finding {
    /// How simple it is, simplest first: faults, calls, context switches, steps, then the order of the scenario.
    pub fn rank(&self) -> (u32, u32, Option<u32>, usize, usize) {
        (self.faults, self.calls, self.switches, self.schedule.steps.len(), self.invariant)
    }
}

impl Explored {
    /// Invariants that should be violated, or seen, and were not.
    pub fn missing<'a>(&'a self, expected: impl Iterator<Item = (usize, Expect, When)> + 'a) -> Vec<usize> {
        let found = |at: usize| self.findings.iter().any(|finding| finding.invariant == at);
        let unseen = |at: usize| self.sometimes.contains(&(at, false));
        expected
            .filter(|&(at, expect, when)| match when {
                When::Sometimes => unseen(at),
                _ => expect == Expect::Violated && !found(at),
            })
            .map(|(at, _, _)| at)
            .collect()
    }
}

/// Searches all worlds within the scenario's bounds.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn explore(
    engine: &mut Embedded,
    budget: &Budget,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Explored, Unsupported> {
    let mut search = Search::new(engine, None);
    let explored = search.run(budget, progress).and_then(|()| search.finish(budget.shard));
    explored.map_err(|error| match error {
        ExploreError::Unsupported(error) => error,
        ExploreError::Checkpoint(error) => panic!("bug in canloom: without a checkpoint: {error}"),
    })
}

/// Likewise, going on from where a checkpoint is, and saving what is found to it. The report is that of a search that was
/// never interrupted.
///
/// # Errors
/// As [`explore`]; and if the checkpoint cannot be read or written.
pub fn explore_from(
    engine: &mut Embedded,
    checkpoint: &mut Checkpoint,
    budget: &Budget,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Explored, ExploreError> {
    let mut search = Search::new(engine, Some(checkpoint));
    search.run(budget, progress)?;
    search.finish(budget.shard)
}

/// Why a search has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExploreError {
    /// A canister asks for something that the engine does not offer.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The checkpoint cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

struct Search<'a> {
    engine: &'a mut Embedded,
    checkpoint: Option<&'a mut Checkpoint>,
    graph: Graph,
    prefix: Prefix,
    tally: Tally,
    levels: Levels,
    remaining: Option<u64>,
    expanded: u64,
    out_of_budget: bool,
    out_of_memory: Option<String>,
    began: Instant,
    /// Time that earlier runs spent.
    earlier: Duration,
    executions_before: u64,
}

impl<'a> Search<'a> {
    fn new(engine: &'a mut Embedded, checkpoint: Option<&'a mut Checkpoint>) -> Search<'a> {
        let executions_before = engine.kernel.counters().executions;
        Search {
            tally: Tally::new(&engine.scenario.invariants),
            graph: Graph::default(),
            prefix: Prefix::default(),
            levels: Levels::new(engine),
            remaining: None,
            expanded: 0,
            out_of_budget: false,
            out_of_memory: None,
            began: Instant::now(),
            earlier: Duration::ZERO,
            executions_before,
            engine,
            checkpoint,
        }
    }

    fn run(&mut self, budget: &Budget, progress: &mut dyn FnMut(&Progress)) -> Result<(), ExploreError> {
        let mut first = self.engine.start().clone();
        self.engine.kernel.canonicalize(&mut first);
        let first = Place::start(Successor::new(self.engine, &first, 0, 1));
        self.levels.find(first.rank);
        match budget.shard {
            None => self.graph.add_root(first),
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
        std::mem::take(&mut self.prefix.places).into_iter().for_each(|place| self.graph.add_root(place));
        if is_known { Ok(()) } else { self.save(true) }
    }

    fn go_on(&mut self, budget: &Budget, progress: &mut dyn FnMut(&Progress)) -> Result<(), ExploreError> {
        let mut forks: Vec<Embedded> = (1..budget.workers).map(|_| self.engine.fork()).collect();
        let deadline = Deadline { began: self.began, time: budget.time };
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
        let is_over = |used: f64, unknown| used >= 0.5 && left.map_or(unknown, |left| used * (1.0 + left) > 1.0);
        let used = budget.time.map_or(0.0, |time| self.began.elapsed().as_secs_f64() / time.as_secs_f64().max(1e-9));
        self.out_of_budget = is_over(used, true);
        let ceiling = &self.engine.allowance().ceiling;
        if !self.out_of_budget && is_over(ceiling.used(), false) {
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

    fn progress(&self) -> Progress {
        Progress {
            worlds: (self.graph.len() + self.prefix.firsts.len()) as u64,
            expanded: self.expanded + self.prefix.firsts.len() as u64,
            executions: self.engine.kernel.counters().executions - self.executions_before,
            violations: self.tally.violations,
            remaining: self.remaining,
            resuming: false,
        }
    }

    fn finish(self, shard: Option<Shard>) -> Result<Explored, ExploreError> {
        let Search { engine, graph, prefix, tally, .. } = self;
        let executions = engine.kernel.counters().executions - self.executions_before;
        let elapsed = self.earlier + self.began.elapsed();
        let within = cut_by(tally.cuts, &engine.scenario.bounds);
        let completeness = match (self.out_of_budget, tally.cut_by_depth, tally.cut_by_timers) {
            _ if self.out_of_memory.is_some() => Completeness::Memory,
            (true, _, _) => Completeness::Budget,
            (false, true, _) => Completeness::Depth,
            (false, false, true) => Completeness::Timers,
            (false, false, false) if !within.is_empty() => Completeness::Within,
            (false, false, false) => Completeness::Exhaustive,
        };
        let counted = !matches!(completeness, Completeness::Budget | Completeness::Memory);
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
                    (a.rank, prefix.firsts[a.simplest[0] as usize].clone())
                }
                (_, Some(b)) => (b.rank, graph.path(&b.simplest)),
                _ => continue,
            };
            findings.push(finding(engine, invariant, rank, worlds, &path)?);
        }
        findings.sort_by_key(Finding::rank);
        let mut by_faults = graph.by_faults();
        for level in prefix.by_faults {
            match by_faults.iter_mut().find(|other| other.faults == level.faults) {
                Some(other) => {
                    other.worlds += level.worlds;
                    other.expanded += level.expanded;
                }
                None => by_faults.push(level),
            }
        }
        by_faults.sort_by_key(|level| level.faults);
        let sometimes = tally.sometimes.iter().enumerate();
        let tasks = [Task::Timer, Task::Heartbeat, Task::LowMemory];
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
            by_faults,
            tasks: tasks.into_iter().filter(|task| engine.kernel.may_run_task(*task)).collect(),
            timers: tally.timers.into_iter().collect(),
            coverage: tally.coverage.table(engine),
            outcomes: tally.outcomes,
            elapsed,
            out_of_memory: self.out_of_memory,
            shard,
            sampled: None,
        })
    }
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

/// The finding of an invariant, which is violated where this path ends.
fn finding(
    engine: &mut Embedded,
    invariant: usize,
    rank: Rank,
    worlds: u64,
    path: &[u32],
) -> Result<Finding, ExploreError> {
    let Rank { faults, calls, switches, .. } = rank;
    let walked = walk(engine, path)?;
    let steps = &walked.schedule.steps;
    let grade = match () {
        () if steps.iter().any(|step| step.kind == StepKind::Trap) => Grade::D,
        () if walked.callback_traps => Grade::C,
        () if faults > 0 => Grade::B,
        () => Grade::A,
    };
    let violated = walked.last.violated.into_iter().find(|(at, _)| *at == invariant);
    Ok(Finding {
        invariant,
        calls: u32::from(calls),
        switches: engine.scenario.bounds.switches.map(|_| u32::from(switches)),
        deliveries: steps.iter().filter(|step| step.is_delivery()).count() as u32,
        faults: u32::from(faults),
        grade,
        worlds,
        error: violated.ok_or_else(|| not_there("a violation"))?.1,
        schedule: walked.schedule,
        order: walked.order,
    })
}

/// The graph holds what is not there: somebody has made the checkpoint that it was read from.
fn not_there(what: &str) -> ExploreError {
    let text = format!("the checkpoint says that there is {what}, and there is none; delete its directory");
    CheckpointError::Input(text).into()
}

/// A path, as a schedule with the names that the calls have outside the search.
struct Walked {
    schedule: Schedule,
    order: Vec<(Rank, u32)>,
    /// Whether a callback traps on the way.
    callback_traps: bool,
    /// What is seen at its end.
    last: look::Look,
}

fn walk(engine: &mut Embedded, path: &[u32]) -> Result<Walked, ExploreError> {
    let mut world = engine.start().clone();
    let trees = world.trees.len();
    let first = engine.kernel.canonicalize(&mut world);
    let mut moved = first.unwrap_or_else(|| Permutation::identity(trees));
    let mut choices = Vec::new();
    let mut steps = Vec::new();
    let mut order = Vec::new();
    let mut callback_traps = false;
    for &ordinal in path {
        engine.kernel.choices(&world, &mut choices)?;
        let choice = *choices.get(ordinal as usize).ok_or_else(|| not_there("a step"))?;
        let mut step = engine.kernel.name(&world, &choice);
        if let Root::Call(call) = &mut step.root {
            *call = moved.original(*call);
        }
        steps.push(step);
        let (next, happened) = engine.kernel.apply(&world, &choice)?;
        let traps = happened.delivery().is_some_and(|delivery| delivery.effects.trap.is_some());
        callback_traps |= traps && choice.kind == StepKind::Response;
        world = next;
        if let Some(next) = engine.kernel.canonicalize(&mut world) {
            moved = moved.then(&next);
        }
        order.push((Successor::new(engine, &world, order.len() as u32 + 1, 1).rank, ordinal));
    }
    engine.kernel.choices(&world, &mut choices)?;
    let last = look::look(engine, &world, &choices)?;
    let schedule = Schedule { steps: engine.kernel.in_order_of_start(steps) };
    Ok(Walked { schedule, order, callback_traps, last })
}
