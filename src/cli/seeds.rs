//! `canloom seeds`.

use std::io::ErrorKind;
use std::path::PathBuf;

use canloom::counterexample::store::write_atomically;
use canloom::files::{cannot_write, shown};
use canloom::fuzz::seeds::seeds;

use super::numbers::count;
use super::output::make_folder;
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
    #[arg(long, default_value_t = 20_000, value_parser = count)]
    worlds: u64,
    #[command(flatten)]
    memory: Memory,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    make_folder(&options.out)?;
    let mut engine = open(&options.scenario, &options.memory)?;
    let seeds = seeds(&mut engine, usize::try_from(options.worlds).unwrap_or(usize::MAX)).map_err(Failure::input)?;
    for (at, seed) in seeds.iter().enumerate() {
        let file = options.out.join(format!("seed-{:03}", at + 1));
        write_atomically(&file, seed.text(usize::MAX).as_bytes()).map_err(|error| match error.kind() {
            ErrorKind::IsADirectory => {
                Failure::input(format!("{} is a folder; remove it, or name another: --out DIR", shown(&file)))
            }
            _ => Failure::outside(cannot_write(&file, &error)),
        })?;
    }
    print(&format!("{} inputs in {}\n", seeds.len(), options.out.display()))?;
    Ok(Exit::Held)
}
