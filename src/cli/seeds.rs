//! `canloom seeds`.

use std::path::PathBuf;

use canloom::counterexample::store::write_atomically;
use canloom::fuzz::seeds::seeds;

use super::{Exit, Failure, Memory, open, print};

/// Options of `canloom seeds`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The scenario file.
    scenario: PathBuf,
    /// Write the inputs into this folder, which is made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Look at this many worlds, simplest first.
    #[arg(long, default_value_t = 20_000)]
    worlds: usize,
    #[command(flatten)]
    memory: Memory,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let mut engine = open(&options.scenario, &options.memory)?;
    let seeds = seeds(&mut engine, options.worlds).map_err(Failure::input)?;
    let cannot = |error| Failure::outside(format!("{}: {error}", options.out.display()));
    std::fs::create_dir_all(&options.out).map_err(cannot)?;
    for (at, seed) in seeds.iter().enumerate() {
        let file = options.out.join(format!("seed-{:03}", at + 1));
        write_atomically(&file, seed.text(usize::MAX).as_bytes()).map_err(cannot)?;
    }
    print(&format!("{} inputs in {}\n", seeds.len(), options.out.display()))?;
    Ok(Exit::Held)
}
