//! `canloom corpus`.

mod accept;
mod check;
mod export;
mod migrate;
mod prune;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use canloom::corpus::{Checker, Entry, Unfit, find};

use super::{Exit, Failure, Memory};

/// Options of `canloom corpus`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Move new counterexamples in: X.cx.new becomes X.cx. With --fixed, mark entries whose bug was corrected.
    Accept(accept::Options),
    /// Replay all entries: open ones must still be violated, fixed ones must hold. The first thing to run in CI.
    Check(check::Options),
    /// Write a counterexample as a stand-alone Rust test.
    Export(export::Options),
    /// Rewrite entries as this version writes them: await point, hashes of today's modules, file name.
    Migrate(migrate::Options),
    /// Drop accepted entries that another one implies: same scenario, invariant, await point and status, and no fewer steps.
    Prune(prune::Options),
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    match &options.command {
        Command::Accept(options) => accept::run(options),
        Command::Check(options) => check::run(options),
        Command::Export(options) => export::run(options),
        Command::Migrate(options) => migrate::run(options),
        Command::Prune(options) => prune::run(options),
    }
}

/// Which files a command is about.
#[derive(Debug, clap::Args)]
struct Files {
    /// Folders of counterexamples, or single files.
    #[arg(default_value = "corpus")]
    files: Vec<PathBuf>,
}

impl Files {
    /// The entries that can be read, and what is wrong with the others.
    fn read(&self, is_wanted: impl Fn(&Path) -> bool) -> Result<(Vec<Entry>, Vec<String>), Failure> {
        let (mut entries, mut wrong) = (Vec::new(), Vec::new());
        for root in &self.files {
            for file in find(root).map_err(Failure::input)?.into_iter().filter(|file| is_wanted(file)) {
                match Entry::read(&file) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => wrong.push(error.to_string()),
                }
            }
        }
        let mut seen = BTreeSet::new();
        entries.retain(|entry| seen.insert(entry.file.canonicalize().unwrap_or_else(|_| entry.file.clone())));
        Ok((entries, wrong))
    }
}

/// Whether a file was accepted.
fn is_accepted(file: &Path) -> bool {
    file.to_string_lossy().ends_with(canloom::corpus::ACCEPTED)
}

/// The exit code of an entry that could not be replayed at all.
fn unfit(error: &Unfit) -> Exit {
    match error {
        Unfit::Input(_) => Exit::Input,
        Unfit::Machine(_) => Exit::Internal,
    }
}

/// Something that replays entries.
fn checker(memory: &Memory) -> Result<Checker, Failure> {
    Checker::new(memory.allowance()).map_err(Failure::outside)
}

/// The exit code of several results: the one that matters most.
fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
    let order = [Exit::Internal, Exit::Input, Exit::Divergence, Exit::Violated, Exit::Stale];
    let exits: Vec<Exit> = exits.into_iter().collect();
    order.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Held)
}
