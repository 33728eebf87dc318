//! What can be asked of `canloom explore`, and what fits together.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use canloom::explore::Shard;
use canloom::scenario::{BoundName, Scenario};

use crate::cli::output::{Outputs, check_places};
use crate::cli::replica::Engine;
use crate::cli::reports::Reports;
use crate::cli::{Failure, Memory, numbers};

/// Options of `canloom explore`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The scenario file (TOML, format 1).
    pub(in crate::cli) scenario: PathBuf,
    /// Who executes: our own engine, in every order; or the replica's own code on PocketIC, where scripts of calls, rounds,
    /// places and times are drawn at random, and each round is checked against our own engine.
    #[arg(long, value_enum, default_value_t)]
    pub(in crate::cli) engine: Engine,
    /// Play each violation on PocketIC, too: confirmed, not expressible there, or diverged.
    #[arg(long)]
    pub(in crate::cli) confirm: bool,
    /// How to choose orders: all of them; sampled ones; or, unless you say otherwise, all of them until it is clear that time
    /// or memory will not suffice, and sampled ones for the rest [default: portfolio; of a shard or with a checkpoint: exhaustive]
    #[arg(long, value_enum)]
    pub(in crate::cli) strategy: Option<Choose>,
    /// Seed of sampled schedules; default 0. The same seed and number of schedules give the same report.
    #[arg(long, value_name = "N", value_parser = numbers::whole)]
    pub(in crate::cli) seed: Option<u64>,
    /// Most schedules to sample; default 10,000, or as many as the budget allows.
    #[arg(long, value_name = "N", value_parser = numbers::count)]
    pub(in crate::cli) schedules: Option<u64>,
    /// Stop after this time, for example 60s or 5m; the verdict may then be inconclusive.
    #[arg(long, value_parser = numbers::duration)]
    pub(in crate::cli) budget: Option<Duration>,
    /// Threads; all cores by default. The report does not depend on their number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(in crate::cli) workers: Option<u16>,
    /// Search only the paths of shard I of N, on this machine; the JSON reports of all shards become one by `canloom merge`.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(in crate::cli) shard: Option<Shard>,
    #[command(flatten)]
    pub(in crate::cli) outputs: Outputs,
    #[command(flatten)]
    pub(in crate::cli) reports: Reports,
    /// What makes the exit code 3: any violation, or only those that no accepted counterexample beside the scenario is of. One
    /// that is marked as fixed has come back, and counts as new.
    #[arg(long, value_enum, value_name = "WHICH", default_value_t)]
    pub(in crate::cli) fail_on: FailOn,
    /// Narrow a bound of the scenario, for example switches=2: one of calls, in_flight, faults, switches (context switches),
    /// depth, time (time steps in all), timers, heartbeats. Can be given once for each.
    #[arg(long = "bound", value_name = "NAME=N", value_parser = bound)]
    pub(in crate::cli) bounds: Vec<(BoundName, u32)>,
    /// Save the search to this directory every now and then, and go on from what is saved there: after a kill, or with a
    /// further budget. It is made if it is missing.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) checkpoint: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) memory: Memory,
    /// Print only the verdict.
    #[arg(long)]
    pub(in crate::cli) quiet: bool,
}

/// Which violations make a run fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Any.
    #[default]
    Any,
    /// Those that the corpus does not have, or has as fixed.
    New,
}

/// Most runs that a search can be divided into.
const SHARDS_MAX: u32 = 10_000;

/// Strategies as they are named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Choose {
    /// Every order within the bounds.
    Exhaustive,
    /// Sampled, as evenly as can be over all orders.
    Random,
    /// Sampled, evenly over the orders of messages that race.
    Pos,
    /// Sampled, with few changes of priority.
    Pct,
    /// Every order, then sampled with the three in turns.
    Portfolio,
}

impl Options {
    /// Threads.
    pub(in crate::cli) fn workers(&self) -> usize {
        self.workers.map_or_else(|| available_parallelism().map_or(1, usize::from), usize::from)
    }
}

/// The strategy that the options ask for, if they fit together.
pub fn strategy(options: &Options) -> Result<Choose, Failure> {
    options.outputs.check()?;
    options.reports.check()?;
    check_places(&[options.outputs.places(), options.reports.places()].concat())?;
    let samples = options.strategy.is_some_and(|strategy| strategy != Choose::Exhaustive);
    if options.shard.is_some() && !(options.reports.is_empty() && options.fail_on == FailOn::Any) {
        let text = "--html, --junit, --sarif and --fail-on need the whole search, and a shard is a part of it";
        return Err(Failure::input(text));
    }
    if options.shard.is_some() && samples {
        let text = "--shard divides an exhaustive search; to sample on many machines give each another --seed";
        return Err(Failure::input(text));
    }
    if options.checkpoint.is_some() && samples {
        let text = "--checkpoint saves an exhaustive search; sampled schedules are made again from their --seed";
        return Err(Failure::input(text));
    }
    if options.engine == Engine::PocketIc {
        let orders = options.strategy.is_some_and(|strategy| strategy != Choose::Random);
        if orders || options.shard.is_some() || options.checkpoint.is_some() || options.confirm {
            let text = "--engine pocket-ic plays random scripts: a replica lets nobody choose the order of messages, so \
                        --strategy, --shard, --checkpoint and --confirm belong to the embedded engine";
            return Err(Failure::input(text));
        }
        return Ok(Choose::Random);
    }
    if options.confirm && options.shard.is_some() {
        return Err(Failure::input(
            "--confirm needs the whole search; `canloom repro FILE.cx --engine pocket-ic` confirms later",
        ));
    }
    let is_whole = options.shard.is_none() && options.checkpoint.is_none();
    let default = if is_whole { Choose::Portfolio } else { Choose::Exhaustive };
    let strategy = options.strategy.unwrap_or(default);
    if strategy == Choose::Exhaustive && (options.seed.is_some() || options.schedules.is_some()) {
        let text = "--seed and --schedules belong to sampled schedules, and an exhaustive search samples none";
        return Err(Failure::input(text));
    }
    Ok(strategy)
}

/// The scenario of a file, within these bounds.
pub fn narrowed(file: &Path, bounds: &[(BoundName, u32)]) -> Result<Scenario, Failure> {
    let mut scenario = Scenario::load(file).map_err(Failure::input)?;
    for (at, &(name, most)) in bounds.iter().enumerate() {
        if bounds[..at].iter().any(|(other, _)| *other == name) {
            return Err(Failure::input(format!("--bound {}: given twice", name.word())));
        }
        scenario.narrow(name, most).map_err(|error| Failure::input(format!("{}: {error}", file.display())))?;
    }
    Ok(scenario)
}

/// A share of a search: `2/8`.
fn shard(text: &str) -> Result<Shard, String> {
    let error = || format!("`{text}` is not a shard; write 2/8 for the second of eight");
    let (index, of) = text.split_once('/').ok_or_else(error)?;
    let number = |text: &str| text.parse::<u32>().map_err(|_| error());
    let (index, of) = (number(index)?, number(of)?);
    if !(1..=SHARDS_MAX).contains(&of) {
        return Err(format!("a search is divided into 1 to {SHARDS_MAX} shards"));
    }
    if !(1..=of).contains(&index) {
        return Err(format!("there is no shard {index} of {of}; they count from 1"));
    }
    Ok(Shard { index, of })
}

/// The name of a bound and its number: switches=2.
fn bound(text: &str) -> Result<(BoundName, u32), String> {
    let names = || BoundName::ALL.map(BoundName::word).join(", ");
    let (name, most) = text.split_once('=').ok_or_else(|| format!("a bound is NAME=N, NAME one of {}", names()))?;
    let known = BoundName::of_word(name);
    let name = known.ok_or_else(|| format!("there is no bound `{name}`; the bounds are {}", names()))?;
    let most = most.parse().map_err(|_| format!("`{most}` is not a number of {}", name.word()))?;
    Ok((name, most))
}
