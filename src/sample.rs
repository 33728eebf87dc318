//! The loop over sampled schedules, for scenarios that cannot be exhausted.
//!
//! In: an installed scenario, a strategy, a seed. Out: [`Explored`], as the search gives it, but never exhaustive and without
//! numbers of interleavings: sampling finds violations and cannot show that there are none.
//!
//! 1. A schedule goes from the first world delivery by delivery; every invariant is checked in each world, as the search
//!    does. It ends when an execution is complete and no extra step is left of those that it drew.
//! 2. Schedules are walked in batches by several threads. Between two batches what schedules were like is added up
//!    ([`Experience`]). So the result depends on seed and number of schedules, and not on the threads.
//! 3. Of the violations of an invariant the one with the fewest faults, calls and steps is kept; what it does not need is
//!    taken away.

pub mod atlas;
mod offers;
mod walker;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use crate::engine::allowance::Ceiling;
use crate::engine::embedded::Embedded;
use crate::explore::tally::Tally;
use crate::explore::workers::{Deadline, STACK};
use crate::explore::{Completeness, Explored, FaultLevel, Finding, Sampled};
use crate::kernel::Unsupported;
use crate::oracle;
use crate::schedule::Schedule;
use crate::scheduler::{Experience, Record, Strategy};
use crate::shrink::{Effort, shrink};

use atlas::Seen;
use walker::{Best, Walker};

/// Schedules of the first batch and of the largest: early ones teach most, later ones need few synchronizations.
const FIRST_BATCH: u64 = 8;
const BATCH_MAX: u64 = 1 << 15;
/// Batches smaller than this are walked by one thread: starting another takes longer than it saves.
const BATCH_FOR_THREADS: u64 = 256;
/// Schedules between two looks at the memory.
const SCHEDULES_BETWEEN_LOOKS: u64 = 64;

/// What to sample.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// How schedules are chosen.
    pub strategy: Strategy,
    /// Seed of all choices.
    pub seed: u64,
    /// Most schedules.
    pub schedules: u64,
    /// Stop after this time.
    pub time: Option<Duration>,
    /// Threads. Nothing that is found depends on their number, unless time or memory ends the run.
    pub workers: usize,
    /// Whether to stop after the batch that violates an invariant first.
    pub until_found: bool,
}

/// How far sampling is.
#[derive(Clone, Copy, Debug)]
pub struct SamplingProgress {
    /// Schedules walked.
    pub schedules: u64,
    /// Wasm executions.
    pub executions: u64,
    /// Invariants that are violated.
    pub violated: u64,
}

/// Samples schedules of a scenario.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn sample(
    engine: &mut Embedded,
    sampling: &Sampling,
    progress: &mut dyn FnMut(&SamplingProgress),
) -> Result<Explored, Unsupported> {
    let began = Instant::now();
    let deadline = Deadline::of(engine, sampling.time);
    let executions_before = engine.kernel.counters().executions;
    engine.prepare(sampling.time.map(|time| Instant::now() + time));
    let mut forks: Vec<Embedded> = (1..sampling.workers).map(|_| engine.fork()).collect();
    let mut walkers: Vec<Walker> =
        (0..sampling.workers.max(1)).map(|_| Walker::new(engine, sampling.strategy, sampling.seed)).collect();
    let ceiling = engine.allowance().ceiling.clone();
    let mut experience = Arc::new(experience(engine));
    let mut out_of_memory = None;
    let (mut next, mut size) = (0, FIRST_BATCH);
    while next < sampling.schedules {
        let batch = Batch {
            first: next,
            end: sampling.schedules.min(next.saturating_add(size)),
            experience: &experience,
            deadline: &deadline,
            ceiling: &ceiling,
            stop: AtomicBool::new(false),
        };
        let records = batch.walk(engine, &mut forks, &mut walkers);
        let stopped = batch.stop.into_inner();
        next = batch.end;
        size = BATCH_MAX.min(size * 2);
        match records {
            Ok(records) => {
                let experience = Arc::make_mut(&mut experience);
                records.iter().for_each(|record| experience.add(record));
                experience.settle();
            }
            // It met the end in the midst of an execution.
            Err(_) if engine.allowance().interrupt.is_requested() => {}
            Err(error) if ceiling.is_exceeded() => out_of_memory = Some(error.to_string()),
            Err(error) => return Err(error),
        }
        let found = |at: usize| walkers.iter().any(|walker| walker.best[at].is_some());
        let violated = (0..engine.scenario.invariants.len()).filter(|&at| found(at)).count() as u64;
        let executions = engine.kernel.counters().executions - executions_before;
        let schedules = walkers.iter().map(|walker| walker.schedules).sum();
        progress(&SamplingProgress { schedules, executions, violated });
        if stopped && out_of_memory.is_none() && !ceiling.is_kept() {
            out_of_memory = Some(ceiling.refuse("what sampling keeps"));
        }
        if stopped || out_of_memory.is_some() || sampling.until_found && violated > 0 {
            break;
        }
    }
    let mut explored = finish(engine, sampling, walkers)?;
    explored.executions = engine.kernel.counters().executions - executions_before;
    explored.elapsed = began.elapsed();
    explored.out_of_memory = out_of_memory;
    Ok(explored)
}

/// The schedule of this number as it is chosen before anything was learned, to its end.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn schedule(engine: &mut Embedded, strategy: Strategy, seed: u64, number: u64) -> Result<Schedule, Unsupported> {
    let mut walker = Walker::new(engine, strategy, seed);
    walker.walk(engine, number, &Arc::new(experience(engine)))?;
    Ok(Schedule { steps: walker::steps(engine, walker.path())? })
}

/// What is known before the first schedule: a call is its start, a request and a response.
fn experience(engine: &Embedded) -> Experience {
    Experience::new(engine.kernel.limits().calls.saturating_mul(3))
}

/// Some schedules in a row.
struct Batch<'a> {
    first: u64,
    end: u64,
    experience: &'a Arc<Experience>,
    deadline: &'a Deadline,
    ceiling: &'a Ceiling,
    stop: AtomicBool,
}

impl Batch<'_> {
    /// Walks them with all threads; what they were like.
    fn walk(
        &self,
        engine: &mut Embedded,
        forks: &mut [Embedded],
        walkers: &mut [Walker],
    ) -> Result<Vec<Record>, Unsupported> {
        let threads = if self.end - self.first < BATCH_FOR_THREADS { 1 } else { walkers.len() };
        let (own, others) = walkers.split_first_mut().expect("one walker at least");
        std::thread::scope(|scope| {
            let others = others[..threads - 1].iter_mut().zip(forks).enumerate();
            let others: Vec<_> = others
                .map(|(at, (walker, fork))| {
                    let work = move || self.part(fork, walker, at + 1, threads);
                    std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work)
                })
                .map(|started| started.expect("the system has threads"))
                .collect();
            let mut records = self.part(engine, own, 0, threads);
            for other in others {
                let theirs = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                match (&mut records, theirs) {
                    (Ok(records), Ok(theirs)) => records.extend(theirs),
                    (records @ Ok(_), Err(error)) => *records = Err(error),
                    (Err(_), _) => {}
                }
            }
            records
        })
    }

    /// The schedules of one of so many threads.
    fn part(
        &self,
        engine: &mut Embedded,
        walker: &mut Walker,
        thread: usize,
        threads: usize,
    ) -> Result<Vec<Record>, Unsupported> {
        let mut records = Vec::new();
        for schedule in (self.first + thread as u64..self.end).step_by(threads) {
            let looks = walker.schedules.is_multiple_of(SCHEDULES_BETWEEN_LOOKS);
            if self.deadline.is_over() || looks && !self.ceiling.is_kept() {
                self.stop.store(true, Ordering::Relaxed);
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let walked = walker.walk(engine, schedule, self.experience);
            records.push(walked.inspect_err(|_| self.stop.store(true, Ordering::Relaxed))?);
        }
        Ok(records)
    }
}

/// Adds up what the threads found, in an order that does not depend on them.
fn finish(engine: &mut Embedded, sampling: &Sampling, walkers: Vec<Walker>) -> Result<Explored, Unsupported> {
    let invariants = engine.scenario.invariants.len();
    let mut worlds: HashMap<&[u8], &Seen> = HashMap::new();
    let mut tally = Tally::new(&engine.scenario.invariants);
    for walker in &walkers {
        worlds.extend(walker.atlas.worlds());
        tally.merge(&walker.atlas.tally);
    }
    let mut violating = vec![0u64; invariants];
    // Each thread knows the steps that it made.
    let steps = walkers.iter().flat_map(|walker| walker.atlas.worlds());
    let steps = steps.flat_map(|(key, seen)| seen.broken.iter().map(move |&at| (key, at)));
    steps.collect::<HashSet<(&[u8], u16)>>().iter().for_each(|(_, at)| violating[usize::from(*at)] += 1);
    let mut by_faults: Vec<FaultLevel> = Vec::new();
    for seen in worlds.values() {
        seen.violated.iter().for_each(|&at| violating[usize::from(at)] += 1);
        while by_faults.len() <= usize::from(seen.faults) {
            by_faults.push(FaultLevel { faults: by_faults.len() as u32, worlds: 0, expanded: 0 });
        }
        by_faults[usize::from(seen.faults)].worlds += 1;
    }
    let complete = worlds.values().filter(|seen| seen.complete).count() as u64;
    let distinct = worlds.len() as u64;
    let best = |at: usize| walkers.iter().filter_map(|walker| walker.best[at].as_ref()).min();
    let found: Vec<(usize, &Best)> = (0..invariants).filter_map(|at| Some((at, best(at)?))).collect();
    let mut findings: Vec<Finding> = Vec::with_capacity(found.len());
    for (at, best) in found {
        let steps = walker::steps(engine, &best.path)?;
        let shrunk = shrink(engine, at, &steps, violating[at], Effort::QUICK, &mut |_| {})?;
        findings.push(shrunk.expect("bug in canloom: a sampled schedule can be followed").finding);
    }
    findings.sort_by_key(Finding::rank);
    let first = |at: usize| walkers.iter().filter_map(|walker| walker.first[at]).min();
    Ok(Explored {
        completeness: Completeness::Sampled,
        interleavings: None,
        interleavings_without_faults: None,
        worlds: distinct,
        executions: 0,
        deliveries: walkers.iter().map(|walker| walker.deliveries).sum(),
        complete,
        findings,
        sometimes: tally.sometimes.iter().enumerate().filter_map(|(at, seen)| Some((at, (*seen)?))).collect(),
        exercised: tally.exercised,
        refused: engine.refused(tally.exercised.ok, tally.exercised.err),
        undecided: oracle::undecided(engine),
        by_faults,
        unfinished: None,
        within: Vec::new(),
        shard: None,
        tasks: engine.kernel.tasks_that_may_run(),
        timers: tally.timers.iter().map(|(&canister, &left_ns)| (canister, left_ns)).collect(),
        coverage: tally.coverage.table(engine),
        outcomes: tally.outcomes,
        elapsed: Duration::ZERO,
        out_of_memory: None,
        sampled: Some(Sampled {
            strategy: sampling.strategy,
            seed: sampling.seed,
            schedules: walkers.iter().map(|walker| walker.schedules).sum(),
            worlds: distinct,
            first: (0..invariants).filter_map(|at| Some((at, first(at)?))).collect(),
        }),
    })
}
