//! Exhaustive search as far as it comes, then sampling: what `explore` does unless it is told otherwise.
//!
//! In: a budget. Out: one [`Explored`]. The search goes first, simplest worlds first. At half of the time or of the memory
//! it gives way, if the estimate says that the rest will not suffice; the other half goes to `random`, `pos` and `pct` in
//! turns. Findings of both are one list, the simplest of each invariant. Without a limit that is met, nothing is sampled.

use std::time::Instant;

use crate::engine::embedded::Embedded;
use crate::explore::{Budget, Completeness, Explored, Progress, explore};
use crate::kernel::Unsupported;
use crate::sample::{Sampling, SamplingProgress, sample};
use crate::scheduler::Strategy;

/// Effort, and what sampling starts from.
#[derive(Clone, Copy, Debug)]
pub struct Portfolio {
    /// Limits of both together.
    pub budget: Budget,
    /// Seed of the sampling.
    pub seed: u64,
    /// Most schedules.
    pub schedules: u64,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub enum Phase {
    /// The search runs.
    Searching(Progress),
    /// Schedules are sampled.
    Sampling(SamplingProgress),
}

/// Searches, and samples if the search gives way.
///
/// # Errors
/// If a canister asks for something that the engine does not offer.
pub fn run(
    engine: &mut Embedded,
    portfolio: &Portfolio,
    progress: &mut dyn FnMut(Phase),
) -> Result<Explored, Unsupported> {
    let began = Instant::now();
    let budget = Budget { gives_way: true, ..portfolio.budget };
    let searched = explore(engine, &budget, &mut |now| progress(Phase::Searching(*now)))?;
    let gave_way = matches!(searched.completeness, Completeness::Budget | Completeness::Memory);
    let time = budget.time.map(|time| time.saturating_sub(began.elapsed()));
    let interrupted = engine.allowance().interrupt.is_requested();
    if !gave_way || interrupted || time.is_some_and(|time| time.is_zero()) {
        return Ok(searched);
    }
    let sampling = Sampling {
        strategy: Strategy::Turns,
        seed: portfolio.seed,
        schedules: portfolio.schedules,
        time,
        workers: budget.workers,
        until_found: false,
    };
    let sampled = sample(engine, &sampling, &mut |now| progress(Phase::Sampling(*now)))?;
    Ok(merge(searched, sampled))
}

/// Adds what sampling found. Numbers of worlds stay those of the search, since nobody knows how many the two share.
fn merge(mut searched: Explored, sampled: Explored) -> Explored {
    for finding in sampled.findings {
        match searched.findings.iter_mut().find(|known| known.invariant == finding.invariant) {
            None => searched.findings.push(finding),
            Some(known) if finding.rank() < known.rank() => *known = finding,
            Some(_) => {}
        }
    }
    searched.findings.sort_by_key(|finding| finding.rank());
    for (at, seen) in sampled.sometimes {
        let known = searched.sometimes.iter_mut().find(|(known, _)| *known == at);
        known.expect("bug in canloom: one scenario").1 |= seen;
    }
    searched.exercised = searched.exercised.or(sampled.exercised);
    let ok = searched.exercised.ok;
    searched.refused.retain(|(entry, _)| ok & (1 << entry) == 0);
    for (spent, outcomes) in sampled.outcomes {
        searched.outcomes.entry(spent).or_default().extend(outcomes);
    }
    searched.add_timers(&sampled.timers);
    searched.coverage.merge(&sampled.coverage);
    searched.executions += sampled.executions;
    searched.deliveries += sampled.deliveries;
    searched.elapsed += sampled.elapsed;
    searched.out_of_memory = searched.out_of_memory.or(sampled.out_of_memory);
    searched.sampled = sampled.sampled;
    searched
}
