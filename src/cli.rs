//! Subcommands, one file each; exit codes; what they share.

#[cfg(feature = "pocket-ic")]
mod campaign;
mod class;
mod corpus;
mod coverage;
mod entry;
mod explore;
mod init;
mod interrupt;
mod merge;
mod numbers;
mod output;
mod paint;
mod progress;
mod replica;
mod report;
mod reports;
mod repro;
mod seeds;
mod shrink;
mod told;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use canloom::engine::allowance::{Allowance, Ceiling};
use canloom::engine::embedded::{Embedded, EmbeddedError};
use canloom::kernel::Unsupported;
use canloom::report::Verdict;
use canloom::scenario::Scenario;

/// How a run ends; the numbers are a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Held, complete within the bounds.
    Held = 0,
    /// An error of canloom, or of something outside.
    Internal = 1,
    /// Bad usage or bad input.
    Input = 2,
    /// Violated; `repro`: reproduced.
    Violated = 3,
    /// A replay could not follow its schedule.
    Divergence = 4,
    /// The budget ended first, or nothing was exercised.
    Inconclusive = 5,
    /// An open counterexample holds now, or names a step that no longer exists.
    Stale = 6,
}

impl Exit {
    /// The exit code of a verdict.
    fn of(verdict: Verdict) -> Exit {
        match verdict {
            Verdict::Held => Exit::Held,
            Verdict::Violated => Exit::Violated,
            Verdict::Inconclusive => Exit::Inconclusive,
        }
    }
}

/// Finds await-point bugs in Internet Computer canisters by running their real wasm in every legal message order.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 held, 1 internal error, 2 bad usage or input, 3 violated (repro: reproduced; corpus check: what was fixed is
violated again), 4 divergence, 5 inconclusive, 6 repro, shrink: the steps can be made, and the invariant holds; corpus check: an
open entry holds now, or names what no longer exists.

Example: canloom explore corpus/vault-stale/scenario.toml";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the committed counterexamples, and tend them.
    Corpus(corpus::Options),
    /// Say which functions and lines of the canisters counterexamples and fuzz inputs run.
    Coverage(coverage::Options),
    /// Search every message order of a scenario within its bounds.
    Explore(explore::Options),
    /// Write a first scenario for a canister: `canloom init --wasm W --did D -o scenario.toml`.
    Init(init::Options),
    /// Put the reports of all shards of a search together: `canloom explore SCENARIO --shard i/n --json FILE`.
    Merge(merge::Options),
    /// Draw a counterexample: one HTML file, a Mermaid diagram, or JSON for pictures of your own.
    Report(report::Options),
    /// Replay one counterexample.
    Repro(repro::Options),
    /// Write first inputs for fuzzing: the shortest way to each method that is delivered while an await is open.
    Seeds(seeds::Options),
    /// Make a counterexample as simple as it can be, without leaving its bug.
    Shrink(shrink::Options),
}

/// An error with the exit code it leads to. Its text fits after "error: ".
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// Text.
    pub text: String,
}

impl Failure {
    /// Bad input.
    pub fn input(error: impl std::fmt::Display) -> Failure {
        Failure { exit: Exit::Input, text: error.to_string() }
    }

    /// What the engine could not tell; that it contradicts itself is a divergence.
    pub fn engine(error: Unsupported) -> Failure {
        let exit = if error.is_contradiction { Exit::Divergence } else { Exit::Input };
        Failure { exit, text: error.to_string() }
    }

    /// Something outside failed.
    pub fn outside(error: impl std::fmt::Display) -> Failure {
        Failure { exit: Exit::Internal, text: error.to_string() }
    }
}

/// Parses the command line and runs it.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Corpus(options) => corpus::run(&options),
        Command::Coverage(options) => coverage::run(&options),
        Command::Explore(options) => explore::run(&options),
        Command::Init(options) => init::run(&options),
        Command::Merge(options) => merge::run(&options),
        Command::Report(options) => report::run(&options),
        Command::Repro(options) => repro::run(&options),
        Command::Seeds(options) => seeds::run(&options),
        Command::Shrink(options) => shrink::run(&options),
    };
    let exit = result.unwrap_or_else(|failure| {
        if interrupt::wish().is_requested() {
            say(&format!("ended before there was anything to report: {}", failure.text));
            return Exit::Inconclusive;
        }
        say(&format!("error: {}", failure.text));
        failure.exit
    });
    ExitCode::from(exit as u8)
}

/// Says a line on standard error; a reader that has gone does not change how the run ends.
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Memory that a run may take.
#[derive(Debug, clap::Args)]
pub struct Memory {
    /// Hold at most this much memory, for example 512MiB or 4GiB; default: half of the machine's. A search that reaches it
    /// ends inconclusive and keeps what it found.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_memory: Option<u64>,
}

impl Memory {
    fn allowance(&self) -> Allowance {
        let ceiling = self.max_memory.map_or_else(Ceiling::of_this_machine, Ceiling::new);
        Allowance { ceiling, interrupt: interrupt::wish(), ..Allowance::default() }
    }
}

/// A size with its unit: 512MiB, 4GiB.
fn size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    let (number, unit) = numbers::with_unit(text, &units).ok_or("a size needs a unit: 512MiB or 4GiB")?;
    numbers::count(number)?.checked_mul(unit).ok_or_else(|| "the size is too large".to_string())
}

/// Loads a scenario and installs it.
fn open(file: &std::path::Path, memory: &Memory) -> Result<Embedded, Failure> {
    install(Scenario::load(file).map_err(Failure::input)?, memory)
}

/// Installs a scenario.
fn install(scenario: Scenario, memory: &Memory) -> Result<Embedded, Failure> {
    Embedded::open_within(Arc::new(scenario), &memory.allowance()).map_err(|error| match error {
        EmbeddedError::Machine(_) => Failure::outside(error),
        _ => Failure::input(error),
    })
}

/// Writes to standard output; a reader that has gone is no error.
fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::outside(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}
