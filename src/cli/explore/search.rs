//! The search that the options ask for.

use canloom::engine::embedded::Embedded;
use canloom::explore::{Budget, Checkpoint, CheckpointError, ExploreError, Explored, explore, explore_from};
use canloom::portfolio::{self, Phase, Portfolio};
use canloom::sample::{Sampling, sample};
use canloom::scheduler::Strategy;

use super::options::{Choose, Options};
use crate::cli::Failure;
use crate::cli::progress::Line;

/// Schedules that are sampled where neither their number nor a time is given.
const SCHEDULES: u64 = 10_000;

/// Searches or samples, as the options say.
pub fn search(
    options: &Options,
    strategy: Choose,
    engine: &mut Embedded,
    line: &mut Line,
) -> Result<Explored, Failure> {
    let workers = options.workers();
    let budget = Budget { time: options.budget, workers, shard: options.shard, gives_way: false };
    if let Some(folder) = &options.checkpoint {
        let mut checkpoint = Checkpoint::open(folder, engine, &searched(options)).map_err(unusable)?;
        let explored = explore_from(engine, &mut checkpoint, &budget, &mut |progress| line.show(progress));
        return explored.map_err(|error| match error {
            ExploreError::Unsupported(error) => Failure::engine(error),
            ExploreError::Checkpoint(error) => unusable(error),
        });
    }
    let seed = options.seed.unwrap_or(0);
    let most = if options.budget.is_some() { u64::MAX } else { SCHEDULES };
    let schedules = options.schedules.unwrap_or(most);
    let strategy = match strategy {
        Choose::Exhaustive => {
            return explore(engine, &budget, &mut |progress| line.show(progress)).map_err(Failure::engine);
        }
        Choose::Portfolio => {
            let portfolio = Portfolio { budget, seed, schedules };
            return portfolio::run(engine, &portfolio, &mut |phase| match phase {
                Phase::Searching(progress) => line.show(&progress),
                Phase::Sampling(progress) => line.show_sampling(&progress),
            })
            .map_err(Failure::engine);
        }
        Choose::Random => Strategy::Random,
        Choose::Pos => Strategy::Pos,
        Choose::Pct => Strategy::Pct,
    };
    let sampling = Sampling { strategy, seed, schedules, time: options.budget, workers, until_found: false };
    sample(engine, &sampling, &mut |progress| line.show_sampling(progress)).map_err(Failure::engine)
}

/// The options that decide what a search finds, for its checkpoint.
fn searched(options: &Options) -> String {
    let shard = options.shard.map(|shard| format!("--shard {}/{}", shard.index, shard.of));
    let mut bounds = options.bounds.clone();
    bounds.sort();
    let bounds = bounds.into_iter().map(|(name, most)| format!("--bound {}={most}", name.word()));
    shard.into_iter().chain(bounds).collect::<Vec<String>>().join(" ")
}

fn unusable(error: CheckpointError) -> Failure {
    match error {
        CheckpointError::Input(_) => Failure::input(error),
        CheckpointError::Outside(_) => Failure::outside(error),
    }
}
