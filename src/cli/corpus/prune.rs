//! `canloom corpus prune`.

use canloom::corpus::{Checker, Entry, Outcome, drop_implied, implied, leftovers};
use canloom::counterexample::{Status, hangs_on};

use super::super::{Exit, Failure, Memory, print, say};
use super::{Files, checker, is_accepted};

/// Options of `canloom corpus prune`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    files: Files,
    /// Say what would be dropped, and drop nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    memory: Memory,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let (entries, wrong) = options.files.read(is_accepted)?;
    wrong.iter().for_each(|what| say(&format!("error: {what}")));
    let gone = implied(&entries);
    let mut dropped = 0;
    let mut checker = checker(&options.memory)?;
    for (entry, kept) in &gone {
        // A file says what it likes about itself; what stays has to show the bug.
        if !stands(&mut checker, kept) {
            let file = kept.file.display();
            print(&format!(
                "kept: {}: {file} does not show what it says; see `canloom corpus check`\n",
                entry.file.display()
            ))?;
            continue;
        }
        let is_gone = options.dry_run || drop_implied(entry, kept).map_err(Failure::outside)?;
        dropped += usize::from(is_gone);
        let word = if options.dry_run { "would drop" } else { "dropped" };
        if is_gone {
            print(&format!("{word}: {}, which {} implies\n", entry.file.display(), kept.file.display()))?;
        }
    }
    for root in &options.files.files {
        for file in leftovers(root).map_err(Failure::input)? {
            if !options.dry_run {
                // Whoever was writing it has gone; another process may clean up at the same time.
                let _ = std::fs::remove_file(&file);
            }
            print(&format!("half written by a process that was killed: {}\n", file.display()))?;
        }
    }
    let without = entries.iter().filter(|entry| entry.counterexample.point.is_none()).count();
    if without > 0 {
        print(&format!("{without} do not say their await point and are kept; `canloom corpus migrate` adds it\n"))?;
    }
    print(&format!("{} of {} implied by others\n", dropped, entries.len()))?;
    Ok(if wrong.is_empty() { Exit::Held } else { Exit::Input })
}

/// Whether an entry is what its head says: violated at that await point, or fixed.
fn stands(checker: &mut Checker, entry: &Entry) -> bool {
    let counterexample = &entry.counterexample;
    match (counterexample.status, checker.check(entry).map(|checked| checked.outcome)) {
        (Status::Fixed, Ok(Outcome::Holds)) => true,
        (Status::Open, Ok(Outcome::Violated(_))) => {
            let Ok(engine) = checker.engine(entry) else { return false };
            let invariant = engine.scenario.invariant(&counterexample.invariant);
            let guilty = invariant.and_then(|at| hangs_on(engine, at, &counterexample.schedule).ok().flatten());
            let mut points = guilty.into_iter().flatten().map(|guilty| guilty.point.name);
            points.any(|point| counterexample.point.as_ref() == Some(&point))
        }
        _ => false,
    }
}
