//! `canloom corpus prune`.

use canloom::corpus::{drop_implied, implied, leftovers};

use super::super::{Exit, Failure, print};
use super::Files;

/// Options of `canloom corpus prune`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    files: Files,
    /// Say what would be dropped, and drop nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let (entries, wrong) = options.files.read(|_| true)?;
    wrong.iter().for_each(|what| eprintln!("error: {what}"));
    let gone = implied(&entries);
    let mut dropped = 0;
    for (entry, kept) in &gone {
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
