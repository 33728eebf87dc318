//! `canloom coverage`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use canloom::counterexample::Counterexample;
use canloom::files::{self, Kind, shown, words};
use canloom::fuzz::lines::Lines;
use canloom::scenario::Scenario;
use canloom::schedule::Schedule;

use super::output::{check_places, is_standard_output, write_to};
use super::{Exit, Failure, print};

/// A file that is taken as an input.
const FILE: Kind = Kind {
    noun: "an input",
    most: 1 << 20,
    missing: "name fuzz inputs, counterexamples, or folders of them",
    instead: "name fuzz inputs, counterexamples, or folders of them",
};

/// Options of `canloom coverage`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Options {
    /// The scenario file.
    scenario: PathBuf,
    /// Fuzz inputs and counterexamples, or folders of them; by default the `.cx` files of the scenario that lie beside it.
    #[arg(value_name = "INPUT_OR_DIR")]
    inputs: Vec<PathBuf>,
    /// Write lines and functions to this file too, in the format of LCOV, which `genhtml` and editors read.
    #[arg(long, value_name = "FILE")]
    lcov: Option<PathBuf>,
}

const HELP: &str = "\
coverage runs the inputs as the fuzzer does, and says which code of the canisters they reach: for each function how many of
its blocks ran, the straight runs of instructions between two branches. Of a file *.cx or *.cx.new it makes the steps and no
others. What installation, setup calls and queries run is not counted.

Source files and lines are known for modules with line tables. For a canister in Rust:
  [profile.release]
  debug = \"line-tables-only\"
  strip = \"none\"
Other modules are shown by function, with names if they have kept them.

A count is the largest number of runs of a block within one message, at most 255: it tells loops from straight code, not how
often something was tried. A line counts as run as soon as one of its blocks does.

Example:
  canloom coverage corpus/vault-stale/scenario.toml
  canloom coverage corpus/vault-stale/scenario.toml fuzz/corpus/schedule/vault-stale --lcov vault.info

Exit codes: 0 it was measured, whatever was reached; 1 internal error; 2 bad usage or input.";

/// What a file has the canisters do.
enum Input {
    /// An input of the fuzzer.
    Bytes(Vec<u8>),
    /// The steps of a counterexample.
    Schedule(Schedule),
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    if let Some(file) = &options.lcov {
        if is_standard_output(file) {
            return Err(Failure::input("--lcov needs a file; the table goes to standard output"));
        }
        check_places(&[("--lcov", file)])?;
    }
    let scenario = Arc::new(Scenario::load(&options.scenario).map_err(Failure::input)?);
    // All are read before the first is run: what is wrong with one is said at once.
    let inputs = match &options.inputs[..] {
        [] => beside(&scenario)?,
        named => given(&scenario, named)?,
    };
    let mut lines = Lines::open(scenario).map_err(Failure::input)?;
    for input in &inputs {
        let done = match input {
            Input::Bytes(bytes) => lines.input(bytes),
            Input::Schedule(schedule) => lines.schedule(schedule),
        };
        done.map_err(Failure::input)?;
    }
    let coverage = lines.coverage().map_err(Failure::input)?;
    print(&coverage.text())?;
    if let Some(file) = &options.lcov {
        write_to(file, &coverage.lcov())?;
    }
    Ok(Exit::Held)
}

/// The scenario's counterexamples beside it.
fn beside(scenario: &Scenario) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for file in
        files(scenario.folder())?.iter().filter(|file| file.extension().is_some_and(|extension| extension == "cx"))
    {
        let counterexample = counterexample(file, &read(file)?)?;
        if counterexample.scenario.file_name() == scenario.file.file_name() {
            inputs.push(Input::Schedule(counterexample.schedule));
        }
    }
    if inputs.is_empty() {
        let text = format!("{}: no .cx file of it lies beside it; name inputs or a folder", scenario.file.display());
        return Err(Failure::input(text));
    }
    Ok(inputs)
}

fn given(scenario: &Scenario, named: &[PathBuf]) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for path in named {
        let files = if path.is_dir() { files(path)? } else { vec![path.clone()] };
        for file in &files {
            let bytes = read(file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            inputs.push(match name.ends_with(".cx") || name.ends_with(".cx.new") {
                true => {
                    let counterexample = counterexample(file, &bytes)?;
                    of_this(scenario, file, &counterexample)?;
                    Input::Schedule(counterexample.schedule)
                }
                false => Input::Bytes(bytes),
            });
        }
    }
    if inputs.is_empty() {
        let folders: Vec<String> = named.iter().map(|folder| folder.display().to_string()).collect();
        return Err(Failure::input(format!("{}: no input is in there", folders.join(", "))));
    }
    Ok(inputs)
}

/// Refuses a counterexample that lies beside another scenario, which it is of.
fn of_this(scenario: &Scenario, file: &Path, counterexample: &Counterexample) -> Result<(), Failure> {
    let own = file.parent().unwrap_or(Path::new("")).join(&counterexample.scenario);
    match (own.canonicalize(), scenario.file.canonicalize()) {
        (Ok(own), Ok(this)) if own != this => {
            let (file, own) = (shown(file), shown(&own));
            Err(Failure::input(format!("{file} is of another scenario, {own}; name counterexamples of this one")))
        }
        _ => Ok(()),
    }
}

/// The files in a folder, in the order of their names, without hidden ones and what else lies beside scenarios.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: std::io::Error| Failure::input(format!("cannot read {}: {}", shown(folder), words(&error)));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_other = [".toml", ".did", ".wasm", ".txt", ".md"].iter().any(|ending| name.ends_with(ending));
        if !name.starts_with('.') && !is_other && !entry.path().is_dir() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    files::read(file, &FILE).map_err(Failure::input)
}

fn counterexample(file: &Path, bytes: &[u8]) -> Result<Counterexample, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| (1, "not text".to_string()));
    let parsed = text.and_then(Counterexample::parse);
    parsed.map_err(|(line, what)| Failure::input(format!("{}:{line}: {what}", file.display())))
}
