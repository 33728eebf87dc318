//! `canloom init`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use canloom::counterexample::store::{self, try_named};
use canloom::engine::embedded::{Embedded, EmbeddedError};
use canloom::explore::{Budget, Completeness};
use canloom::files::{cannot_write, is_misnamed, shown};
use canloom::init::{Ask, InitError, Proposal, TIME, propose};
use canloom::portfolio::{self, Phase, Portfolio};
use canloom::report::{text, was_refused};
use canloom::scenario::Scenario;

use super::output::check_places;
use super::progress::Line;
use super::{Exit, Failure, print, say};

/// How long the proposed scenario is explored, to see that it runs.
const LOOK: Duration = Duration::from_secs(10);

/// Options of `canloom init`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Options {
    /// The compiled module; it may be compressed with gzip.
    #[arg(long, value_name = "W")]
    wasm: PathBuf,
    /// Its Candid interface; by default what the module has with it (metadata `candid:service`, or `export_candid!`).
    #[arg(long, value_name = "D")]
    did: Option<PathBuf>,
    /// What the canister is installed with, for example '(principal "${alice}", 100 : nat64)'; by default found by trying.
    #[arg(long, value_name = "CANDID")]
    init: Option<String>,
    /// Name of the canister in the scenario; by default that of the file.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Write the scenario to this file, which must not be there; by default, or with `-`, it is printed.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const HELP: &str = "\
init installs the canister, calls each of its methods with small arguments, and sees which of them call other canisters.
It writes a scenario of at most 60 lines in which those calls run beside each other, with a built-in ledger or a stub in
place of each canister that was called, and every generic oracle on. Then it explores it for at most 10 seconds.

Example:
  canloom init --wasm target/wasm32-unknown-unknown/release/vault.wasm --did vault.did -o scenario.toml
  canloom explore scenario.toml

Exit codes: 0 a scenario was written, whatever the first look saw; 1 internal error; 2 bad usage or input.";

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let output = options.output.as_deref().filter(|file| *file != Path::new("-"));
    if let Some(file) = output {
        refuse_existing(file)?;
        if file.extension().is_none_or(|ending| ending != "toml") {
            check_places(&[("-o", file)])?;
        }
        try_named(file).map_err(|error| unwritten(file, &error))?;
    }
    let mut line = Line::new(false);
    line.say("calling every method");
    let file = output.map_or_else(|| PathBuf::from("scenario.toml"), Path::to_path_buf);
    let ask = Ask {
        wasm: options.wasm.clone(),
        did: options.did.clone(),
        init: options.init.clone(),
        name: options.name.clone(),
        file: file.clone(),
        writes_did: output.is_some(),
    };
    let proposal = propose(&ask).map_err(|error| match error {
        InitError::Engine(EmbeddedError::Machine(_)) => Failure::outside(error),
        _ => Failure::input(error),
    })?;
    match output {
        None => print(&proposal.text)?,
        Some(file) => {
            let did = proposal.did.as_ref().map(|(name, content)| (file.with_file_name(name), content));
            let is_new = did.as_ref().is_some_and(|(did, _)| !did.exists());
            if let Some((did, content)) = &did {
                write_interface(did, content)?;
            }
            write_new(file, &proposal.text).inspect_err(|_| {
                // An interface without its scenario is of no use.
                if let Some((did, _)) = did.filter(|_| is_new) {
                    let _ = std::fs::remove_file(did);
                }
            })?;
        }
    }
    let seen = look(&file, &proposal, &mut line);
    line.end();
    if proposal.is_cut {
        say(&format!("calls are slow: not all of them were tried, within {} s in all", TIME.as_secs()));
    }
    say(seen?.trim_end());
    match output {
        Some(file) => say(&format!("next: canloom explore {}", file.display())),
        None => say("next: save it with -o scenario.toml, then: canloom explore scenario.toml"),
    }
    Ok(Exit::Held)
}

/// Explores the scenario for a short time; says what was seen.
fn look(file: &Path, proposal: &Proposal, line: &mut Line) -> Result<String, Failure> {
    let wrong =
        |error: &dyn std::fmt::Display| Failure::outside(format!("bug in canloom: the proposed scenario: {error}"));
    let scenario = Scenario::from_text(file, &proposal.text).map_err(|error| wrong(&error))?;
    let mut engine = Embedded::open(Arc::new(scenario)).map_err(|error| wrong(&error))?;
    let workers = available_parallelism().map_or(1, usize::from);
    let budget = Budget { time: Some(LOOK), workers, shard: None, gives_way: false };
    let portfolio = Portfolio { budget, seed: 0, schedules: u64::MAX };
    let explored = portfolio::run(&mut engine, &portfolio, &mut |phase| match phase {
        Phase::Searching(progress) => line.show(&progress),
        Phase::Sampling(progress) => line.show_sampling(&progress),
    });
    let explored = match explored {
        Ok(explored) => explored.folded(&engine.scenario),
        Err(error) => return Ok(format!("first look: {error}\n")),
    };
    let mut seen = format!("first look: {}", text::verdict(&engine.scenario, &explored).trim_end());
    if proposal.left_out > 0 {
        let be = if proposal.left_out == 1 { "is" } else { "are" };
        seen += &format!("; {} of {} update methods {be} left out", proposal.left_out, proposal.updates);
    }
    seen.push('\n');
    for finding in &explored.findings {
        seen += &format!("  violated: {}\n", engine.scenario.invariants[finding.invariant].name);
    }
    if was_refused(&explored) {
        seen += "  every call was answered with an error: edit `args`, `by` or `init`\n";
    } else if explored.completeness != Completeness::Exhaustive {
        seen += &format!("  that was as far as {} s go\n", LOOK.as_secs());
    }
    Ok(seen)
}

fn refuse_existing(file: &Path) -> Result<(), Failure> {
    if file.exists() { Err(exists(file)) } else { Ok(()) }
}

fn exists(file: &Path) -> Failure {
    Failure::input(format!("{} is there already; remove it, or give another name: -o FILE", shown(file)))
}

/// Writes an interface, unless the file is there and says the same: another scenario of the same module needs it.
fn write_interface(file: &Path, text: &str) -> Result<(), Failure> {
    match std::fs::read(file) {
        Ok(content) if content == text.as_bytes() => Ok(()),
        Ok(_) => Err(Failure::input(format!(
            "{} is there already, with another interface; give the canister another name: --as NAME",
            shown(file)
        ))),
        Err(_) => write_new(file, text),
    }
}

/// Writes a file that is not there.
fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    store::write_new(file, text.as_bytes()).map_err(|error| unwritten(file, &error))
}

fn unwritten(file: &Path, error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(file),
        _ => Failure {
            exit: if is_misnamed(error) { Exit::Input } else { Exit::Internal },
            text: cannot_write(file, error),
        },
    }
}
