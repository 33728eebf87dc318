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
//! one thread. Executions are shared by the kernel's memo; equal worlds are merged here. No reduction beyond merging is
//! applied, so every reachable global state is visited and invariants across canisters are checked at every cut.

pub(crate) mod below;
mod checkpoint;
mod conclude;
mod count;
pub(crate) mod coverage;
mod estimate;
mod fold;
mod found;
mod graph;
pub(crate) mod look;
mod prefix;
mod resume;
mod search;
pub(crate) mod tally;
mod walk;
pub(crate) mod workers;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::embedded::Embedded;
use crate::kernel::Unsupported;

pub use checkpoint::{Checkpoint, CheckpointError, identity};
pub use coverage::Coverage;
pub use found::{Completeness, Explored, FaultLevel, Finding, Grade, Minimal, Sampled};
pub use graph::Rank;
pub use look::Exercised;
use search::Search;

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
