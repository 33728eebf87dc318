//! The search over worlds: the only loop over executions.
//!
//! In: an installed scenario. Out: [`Explored`]: verdicts, exact counts, the simplest violation of each invariant.
//!
//! 1. Start from the world in which no call has started.
//! 2. Take the next world in order of faults, then calls, then deliveries; so the first violation is the simplest.
//! 3. Observe it and check every invariant. A violating world is expanded like any other.
//! 4. Make each legal step; bring the result into canonical form; keep it if it is new.
//! 5. When no world is left, count the paths from the first world to complete ones: these are the interleavings.
//!
//! Executions are shared by the kernel's memo; equal worlds are merged here. No reduction beyond merging is applied, so
//! every reachable global state is visited and invariants across canisters are checked at every cut.

mod count;
mod graph;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use num_bigint::BigUint;

use crate::engine::embedded::Embedded;
use crate::invariant;
use crate::kernel::{Choice, Permutation, Unsupported, World};
use crate::scenario::{Expect, When};
use crate::schedule::{Root, Schedule, StepKind, Task};

use graph::Graph;

/// Worlds expanded between two looks at the memory: a look takes some microseconds, as an expansion does, and executions
/// ask on their own for what is large.
const EXPANSIONS_BETWEEN_LOOKS: u64 = 16;

/// Limits on effort, not on the search space.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// Stop after this time; an execution that runs is not interrupted.
    pub time: Option<Duration>,
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
}

/// What a finding needs (design section 4), from the most to the least alarming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Calls started, deliveries made, faults spent on the way.
    pub calls: u32,
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

/// Whether a search is complete, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// Every world within the bounds was visited.
    Exhaustive,
    /// Every world was visited except behind chains longer than the depth bound.
    Depth,
    /// Every world was visited except behind more firings of a timer than the bound allows.
    Timers,
    /// The budget ended first.
    Budget,
    /// The limit of memory was reached first.
    Memory,
}

/// Result of a search.
#[derive(Clone, Debug)]
pub struct Explored {
    /// How much of the bound was searched.
    pub completeness: Completeness,
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
    /// Canisters whose timer was set and never came due, with the least time that was left, in nanoseconds.
    pub idle_timers: Vec<(u16, u64)>,
    /// Time spent.
    pub elapsed: Duration,
    /// What did not fit into memory, if that ended the search.
    pub out_of_memory: Option<String>,
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
    let mut search = Search::new(engine);
    search.run(budget, progress)?;
    search.finish()
}

struct Search<'a> {
    engine: &'a mut Embedded,
    graph: Graph,
    found: Vec<Option<Found>>,
    sometimes: Vec<Option<bool>>,
    outcomes: BTreeMap<(u32, u32), BTreeSet<String>>,
    violations: u64,
    deliveries: u64,
    complete: u64,
    cut_by_depth: bool,
    cut_by_timers: bool,
    /// For each canister: the least time to its timer, and whether that ever ran.
    timers: Vec<(Option<u64>, bool)>,
    out_of_budget: bool,
    out_of_memory: Option<String>,
    began: Instant,
    executions_before: u64,
}

struct Found {
    world: u32,
    worlds: u64,
    error: Option<String>,
}

impl<'a> Search<'a> {
    fn new(engine: &'a mut Embedded) -> Search<'a> {
        let invariants = &engine.scenario.invariants;
        let sometimes =
            invariants.iter().map(|invariant| (invariant.when == When::Sometimes).then_some(false)).collect();
        let executions_before = engine.kernel.counters().executions;
        Search {
            found: invariants.iter().map(|_| None).collect(),
            sometimes,
            graph: Graph::new(),
            outcomes: BTreeMap::new(),
            violations: 0,
            deliveries: 0,
            complete: 0,
            cut_by_depth: false,
            cut_by_timers: false,
            timers: vec![(None, false); engine.start().canisters.len()],
            out_of_budget: false,
            out_of_memory: None,
            began: Instant::now(),
            executions_before,
            engine,
        }
    }

    fn run(&mut self, budget: &Budget, progress: &mut dyn FnMut(&Progress)) -> Result<(), Unsupported> {
        let mut first = self.engine.start().clone();
        self.engine.kernel.canonicalize(&mut first);
        self.graph.add(&first, None, 0, (0, 0, 0));
        let mut choices: Vec<Choice> = Vec::new();
        let mut expanded = 0;
        let shape = self.engine.start().shape();
        while let Some(at) = self.graph.next() {
            progress(&self.progress(expanded));
            if budget.time.is_some_and(|time| self.began.elapsed() >= time) {
                self.out_of_budget = true;
                return Ok(());
            }
            if expanded % EXPANSIONS_BETWEEN_LOOKS == 0 && !self.has_memory() {
                return Ok(());
            }
            expanded += 1;
            let world = self.graph.world(at, shape);
            let visited = self.visit(at, &world, &mut choices);
            if let Err(error) = visited {
                // What was found so far is kept where only memory is missing.
                if !self.engine.allowance().ceiling.is_exceeded() {
                    return Err(error);
                }
                self.graph.give_up(at);
                self.out_of_memory = Some(error.to_string());
                return Ok(());
            }
        }
        progress(&self.progress(expanded));
        Ok(())
    }

    fn visit(&mut self, at: u32, world: &World, choices: &mut Vec<Choice>) -> Result<(), Unsupported> {
        self.engine.kernel.choices(world, choices)?;
        self.check(at, world, choices)?;
        self.expand(at, world, choices)
    }

    /// Whether there is memory for more worlds.
    fn has_memory(&mut self) -> bool {
        let ceiling = &self.engine.allowance().ceiling;
        ceiling.set_worlds(self.graph.bytes());
        let is_kept = ceiling.is_kept();
        if !is_kept {
            self.out_of_memory = Some(ceiling.refuse("what the search keeps"));
        }
        is_kept
    }

    fn progress(&self, expanded: u64) -> Progress {
        Progress {
            worlds: self.graph.len() as u64,
            expanded,
            executions: self.engine.kernel.counters().executions - self.executions_before,
            violations: self.violations,
        }
    }

    fn check(&mut self, at: u32, world: &World, choices: &[Choice]) -> Result<(), Unsupported> {
        let observations = self.engine.observe(world)?;
        let calls = self.engine.calls(world);
        let view = self.engine.view(world, &observations, &calls);
        let complete = self.engine.kernel.is_complete(world, choices);
        if complete {
            self.complete += 1;
            self.graph.set_complete(at);
        }
        self.cut_by_depth |= self.engine.kernel.is_cut_by_depth(world);
        self.cut_by_timers |= self.engine.kernel.is_cut_by_timers(world);
        if view.quiet {
            let started = self.engine.kernel.started(world);
            if started > 0 {
                let outcome = self.engine.outcome(&observations, &calls).to_string();
                self.outcomes.entry((started, world.faulted())).or_default().insert(outcome);
            }
        }
        for (canister, (left_ns, has_run)) in self.timers.iter_mut().enumerate() {
            match self.engine.kernel.timer(world, canister as u16) {
                Some(0) => *has_run = true,
                Some(now) => *left_ns = Some(left_ns.map_or(now, |least| least.min(now))),
                None => {}
            }
        }
        let scenario = self.engine.scenario.clone();
        for (position, invariant) in scenario.invariants.iter().enumerate() {
            if self.sometimes[position] == Some(false) && invariant::is_seen(invariant, &view) {
                self.sometimes[position] = Some(true);
            }
            let Some(violation) = invariant::violation(invariant, &view, complete) else { continue };
            self.violations += 1;
            match &mut self.found[position] {
                Some(found) => found.worlds += 1,
                none => *none = Some(Found { world: at, worlds: 1, error: violation.error }),
            }
        }
        Ok(())
    }

    fn expand(&mut self, at: u32, world: &World, choices: &[Choice]) -> Result<(), Unsupported> {
        let depth = self.graph.depth(at) + 1;
        for (ordinal, choice) in choices.iter().enumerate() {
            let (mut next, happened) = self.engine.kernel.apply(world, choice)?;
            self.deliveries += u64::from(happened.delivery().is_some());
            self.engine.kernel.canonicalize(&mut next);
            let rank = (next.faulted(), self.engine.kernel.started(&next), depth);
            self.graph.add(&next, Some((at, ordinal as u32)), choice.multiplicity, rank);
        }
        self.graph.expanded(at);
        Ok(())
    }

    fn finish(mut self) -> Result<Explored, Unsupported> {
        let executions = self.engine.kernel.counters().executions - self.executions_before;
        let elapsed = self.began.elapsed();
        let completeness = match (self.out_of_budget, self.cut_by_depth, self.cut_by_timers) {
            _ if self.out_of_memory.is_some() => Completeness::Memory,
            (true, _, _) => Completeness::Budget,
            (false, true, _) => Completeness::Depth,
            (false, false, true) => Completeness::Timers,
            (false, false, false) => Completeness::Exhaustive,
        };
        let counted = !matches!(completeness, Completeness::Budget | Completeness::Memory);
        let (mut all, mut without) = (None, None);
        if counted {
            all = count::paths(&self.graph, |_| true);
            without = count::paths(&self.graph, |graph_world| self.graph.faulted(graph_world) == 0);
        }
        let mut order: Vec<(u32, usize)> = self
            .found
            .iter()
            .enumerate()
            .filter_map(|(at, found)| found.as_ref().map(|found| (found.world, at)))
            .collect();
        order.sort_by_key(|&(world, at)| (self.graph.rank(world), at));
        let mut findings = Vec::new();
        for (world, invariant) in order {
            let (schedule, callback_traps) = self.schedule(world)?;
            let grade = match () {
                () if schedule.steps.iter().any(|step| step.kind == StepKind::Trap) => Grade::D,
                () if callback_traps => Grade::C,
                () if self.graph.faulted(world) > 0 => Grade::B,
                () => Grade::A,
            };
            let found = self.found[invariant].take().expect("bug in canloom: this invariant was violated");
            findings.push(Finding {
                invariant,
                calls: self.graph.rank(world).1,
                deliveries: schedule.steps.iter().filter(|step| step.is_delivery()).count() as u32,
                faults: self.graph.faulted(world),
                grade,
                worlds: found.worlds,
                error: found.error,
                schedule,
            });
        }
        let sometimes =
            self.sometimes.iter().enumerate().filter_map(|(at, seen)| seen.map(|seen| (at, seen))).collect();
        let tasks = [Task::Timer, Task::Heartbeat, Task::LowMemory];
        let timers = self.timers.iter().enumerate();
        let idle_timers =
            timers.filter(|(_, (_, has_run))| !has_run).filter_map(|(at, (left, _))| Some((at as u16, (*left)?)));
        Ok(Explored {
            completeness,
            interleavings: all,
            interleavings_without_faults: without,
            worlds: self.graph.len() as u64,
            executions,
            deliveries: self.deliveries,
            complete: self.complete,
            findings,
            sometimes,
            outcomes: std::mem::take(&mut self.outcomes),
            by_faults: self.graph.by_faults(),
            tasks: tasks.into_iter().filter(|task| self.engine.kernel.may_run_task(*task)).collect(),
            idle_timers: idle_timers.collect(),
            elapsed,
            out_of_memory: self.out_of_memory,
        })
    }

    /// The steps from the first world to this one, with the names that the calls have outside the search.
    /// Also whether a callback traps on the way.
    fn schedule(&mut self, world: u32) -> Result<(Schedule, bool), Unsupported> {
        let path = self.graph.path(world);
        let mut world = self.engine.start().clone();
        let trees = world.trees.len();
        let first = self.engine.kernel.canonicalize(&mut world);
        let mut moved = first.unwrap_or_else(|| Permutation::identity(trees));
        let mut choices = Vec::new();
        let mut steps = Vec::new();
        let mut callback_traps = false;
        for ordinal in path {
            self.engine.kernel.choices(&world, &mut choices)?;
            let choice = choices[ordinal as usize];
            let mut step = self.engine.kernel.name(&world, &choice);
            if let Root::Call(call) = &mut step.root {
                *call = moved.original(*call);
            }
            steps.push(step);
            let (next, happened) = self.engine.kernel.apply(&world, &choice)?;
            let traps = happened.delivery().is_some_and(|delivery| delivery.effects.trap.is_some());
            callback_traps |= traps && choice.kind == StepKind::Response;
            world = next;
            if let Some(next) = self.engine.kernel.canonicalize(&mut world) {
                moved = moved.then(&next);
            }
        }
        Ok((Schedule { steps: self.engine.kernel.in_order_of_start(steps) }, callback_traps))
    }
}
