//! Single schedules, walked delivery by delivery with every observation and invariant evaluated after each: what one gets
//! without the search.
//!
//! In: a scenario. Out: schedules per second, each chosen at random among the legal steps, with a fixed seed.
//!
//! - *Sampled*: by `random` of [`canloom::sample`], on two threads. What was seen in a world that an earlier schedule came
//!   through is not evaluated again.
//! - *Replayed*: nothing is remembered. Every message and every observation of every schedule is executed anew, from the
//!   first world on. Warm instances are kept and states are interned, so a replay pays less than one that installs its
//!   canisters again would.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, explore};
use canloom::invariant;
use canloom::kernel::{Choice, Plan};
use canloom::sample::{self, Sampling};
use canloom::scheduler::Strategy;

use super::pair::Withdrawals;
use super::rows::{Row, Run, median};

/// Schedules sampled, and the threads that do it: as many as PocketIC had for its figure.
const SAMPLED: (u64, usize) = (500_000, 2);
/// Schedules walked before the clock starts, and with it.
const REPLAYED: (u32, u32) = (20, 100);
/// Rounds of replay and search in turns: what else the machine does meanwhile slows both.
const ROUNDS: usize = 5;

/// Measures how fast schedules are sampled.
///
/// # Errors
/// If the scenario does not load or a canister uses what is not offered.
pub fn sample(run: &mut Run, root: &Path, withdrawals: Withdrawals) -> Result<(), String> {
    let mut engine = open(root, withdrawals)?;
    let (schedules, workers) = SAMPLED;
    let sampling = Sampling { strategy: Strategy::Random, seed: 1, schedules, time: None, workers, until_found: false };
    let began = Instant::now();
    sample::sample(&mut engine, &sampling, &mut |_| {}).map_err(|error| error.to_string())?;
    let rate = schedules as f64 / began.elapsed().as_secs_f64();
    run.put(Row::new(format!("{withdrawals}: sampled schedules"), rate, "schedules/s"));
    Ok(())
}

fn open(root: &Path, withdrawals: Withdrawals) -> Result<Embedded, String> {
    Embedded::open(Arc::new(withdrawals.scenario(root)?)).map_err(|error| error.to_string())
}

/// Measures replay without memo against the search, both in turns.
///
/// # Errors
/// As [`sample`].
pub fn replay(run: &mut Run, root: &Path, withdrawals: Withdrawals) -> Result<(), String> {
    let mut walk = Walk::open(root, withdrawals)?;
    let (mut rates, mut searches, mut interleavings) = (Vec::new(), Vec::new(), f64::NAN);
    for _ in 0..ROUNDS {
        rates.push(walk.rate(REPLAYED)?);
        let mut engine = Embedded::open(walk.engine.scenario.clone()).map_err(|error| error.to_string())?;
        let explored = explore(&mut engine, &Budget::default(), &mut |_| {}).map_err(|error| error.to_string())?;
        searches.push(explored.elapsed.as_secs_f64());
        let counted = explored.interleavings.ok_or("interleavings were not counted")?;
        interleavings = counted.to_string().parse().map_err(|_| "more interleavings than a number holds")?;
    }
    let (rate, search_s) = (median(rates), median(searches));
    let all_s = interleavings / rate;
    let beside = format!("{withdrawals}: search in turns with replay");
    run.put(Row::new(format!("{withdrawals}: replayed schedules, without memo"), rate, "schedules/s"));
    let row = Row::new(format!("{withdrawals}: replay of all, without memo"), all_s, "s");
    run.put(row.with_ratio(&beside, all_s / search_s));
    run.put(Row::new(beside, search_s, "s"));
    Ok(())
}

struct Walk {
    engine: Embedded,
    plan: Plan,
    choices: Vec<Choice>,
    random: u64,
}

impl Walk {
    fn open(root: &Path, withdrawals: Withdrawals) -> Result<Walk, String> {
        let engine = open(root, withdrawals)?;
        // The scenarios measured here have neither faults nor time nor outcalls.
        let plan = Plan { calls: engine.kernel.calls().to_vec(), limits: engine.kernel.limits(), ..Plan::EMPTY };
        Ok(Walk { engine, plan, choices: Vec::new(), random: 0x9e37_79b9_7f4a_7c15 })
    }

    /// Schedules per second.
    fn rate(&mut self, (warm_up, counted): (u32, u32)) -> Result<f64, String> {
        for _ in 0..warm_up {
            self.one()?;
        }
        let began = Instant::now();
        for _ in 0..counted {
            self.one()?;
        }
        Ok(f64::from(counted) / began.elapsed().as_secs_f64())
    }

    /// Walks one schedule to its end.
    fn one(&mut self) -> Result<(), String> {
        // A plan empties the memo; worlds of an equal plan mean the same.
        self.engine.kernel.plan(self.plan.clone());
        let mut world = self.engine.start().clone();
        loop {
            self.engine.kernel.choices(&world, &mut self.choices).map_err(|error| error.to_string())?;
            let observations = self.engine.observe(&world).map_err(|error| error.to_string())?;
            let calls = self.engine.calls(&world);
            let view = self.engine.view(&world, &observations, &calls);
            let complete = self.engine.kernel.is_complete(&world, &self.choices);
            let violated = self.engine.scenario.invariants.iter();
            std::hint::black_box(
                violated.filter_map(|each| invariant::violation(each, each.expr()?, &view, complete)).count(),
            );
            if self.choices.is_empty() {
                return Ok(());
            }
            let drawn = self.draw(self.choices.len());
            let choice = self.choices[drawn];
            world = self.engine.kernel.apply(&world, &choice).map_err(|error| error.to_string())?.0;
        }
    }

    /// A number below `bound`, by xorshift.
    fn draw(&mut self, bound: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % bound as u64) as usize
    }
}
