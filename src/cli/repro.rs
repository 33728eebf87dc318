//! `canloom repro`.

use std::path::PathBuf;

#[cfg(feature = "pocket-ic")]
use canloom::confirm::{self, Confirmation};
use canloom::counterexample::Counterexample;
#[cfg(feature = "pocket-ic")]
use canloom::engine::pocket_ic::stage::{Source, StageError};
#[cfg(feature = "pocket-ic")]
use canloom::report::replica as report;
use canloom::scenario::Scenario;

use super::entry::{Opened, open};
use super::paint::show;
use super::replica::{self, Engine};
use super::told::Told;
use super::{Exit, Failure, Memory, print};

/// Options of `canloom repro`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The counterexample file; its scenario lies beside it.
    file: PathBuf,
    /// Where to replay it: here, or on the replica's own code, where submits, rounds, places and times are looked for that lead
    /// to it.
    #[arg(long, value_enum, default_value_t)]
    engine: Engine,
    #[command(flatten)]
    memory: Memory,
    /// Print only the result.
    #[arg(long)]
    quiet: bool,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let mut opened = open(&options.file, &options.memory)?;
    let replayed = opened.replay(&options.file)?;
    let Opened { counterexample, mut engine, invariant } = opened;
    let scenario = engine.scenario.clone();
    let reproduced = replayed.violated.is_some();
    if options.engine == Engine::PocketIc && reproduced {
        return confirm(options, &scenario, &counterexample, invariant);
    }
    if !options.quiet {
        let told = Told::of(&mut engine, counterexample, invariant, replayed);
        show(&told.text(&engine))?;
        print("\n")?;
    }
    print(if reproduced { "reproduced\n" } else { "not reproduced: the invariant holds on this schedule\n" })?;
    Ok(if reproduced { Exit::Violated } else { Exit::Stale })
}

/// Replays it on PocketIC.
#[cfg(feature = "pocket-ic")]
fn confirm(
    options: &Options,
    scenario: &Scenario,
    counterexample: &Counterexample,
    invariant: usize,
) -> Result<Exit, Failure> {
    let server = replica::server()?;
    let confirmation = Source::new(scenario, &options.memory.allowance())
        .map_err(StageError::from)
        .and_then(|mut source| confirm::confirm(&server, &mut source, &counterexample.schedule, invariant))
        .map_err(replica::unplayable)?;
    if !options.quiet {
        print(&report::told(&confirmation, server.version()))?;
        print("\n")?;
    }
    print(&report::verdict(&confirmation))?;
    Ok(match confirmation {
        Confirmation::Confirmed(_) => Exit::Violated,
        Confirmation::NotExpressible { .. } => Exit::Inconclusive,
        Confirmation::Diverged { .. } => Exit::Divergence,
    })
}

#[cfg(not(feature = "pocket-ic"))]
fn confirm(_: &Options, _: &Scenario, _: &Counterexample, _: usize) -> Result<Exit, Failure> {
    Err(replica::missing())
}
