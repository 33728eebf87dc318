//! `canloom corpus migrate`.

use canloom::corpus::{ChangeError, Entry, migrated, rewrite};
use canloom::counterexample::Counterexample;

use super::super::progress::Line;
use super::super::{Exit, Failure, Memory, print, say};
use super::{Files, checker, unfit, worst};

/// Options of `canloom corpus migrate`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    memory: Memory,
}

/// Runs it.
pub fn run(options: &Options) -> Result<Exit, Failure> {
    let (entries, wrong) = options.files.read(|_| true)?;
    let line = Line::new(false);
    let mut exits: Vec<Exit> = wrong.iter().map(|_| Exit::Input).collect();
    wrong.iter().for_each(|what| say(&format!("error: {what}")));
    let mut checker = checker(&options.memory)?;
    let mut rewritten = 0;
    for (at, entry) in entries.iter().enumerate() {
        let file = entry.file.display();
        line.say(&format!("replaying {} of {}: {file}", at + 1, entries.len()));
        let outcome = match checker.check(entry) {
            Ok(checked) => checked.outcome,
            Err(error) => {
                say(&format!("error: {error}"));
                exits.push(unfit(&error));
                continue;
            }
        };
        if !outcome.is_expected(entry.counterexample.status) {
            // Today's modules are not what it is of.
            say(&format!("error: {file}: left as it is: `canloom corpus check` says what is wrong with it"));
            exits.push(Exit::Stale);
            continue;
        }
        let engine = checker.engine(entry).map_err(Failure::input)?;
        let scenario = engine.scenario.clone();
        let invariant = scenario.invariant(&entry.counterexample.invariant);
        let invariant = invariant.expect("bug in canloom: it was just replayed");
        let replayed = Counterexample::of(engine, invariant, entry.counterexample.schedule.clone());
        let (to, now) = migrated(entry, &replayed, &scenario.name);
        if to == entry.file && is_unchanged(entry, &now) {
            continue;
        }
        if let Err(error) = rewrite(entry, &to, &now) {
            say(&format!("error: {error}"));
            exits.push(if matches!(error, ChangeError::System { .. }) { Exit::Internal } else { Exit::Input });
            continue;
        }
        rewritten += 1;
        line.end();
        print(&format!("rewritten: {}\n", to.display()))?;
    }
    line.end();
    print(&format!("{rewritten} of {} rewritten\n", entries.len()))?;
    Ok(worst(exits))
}

/// Whether the file says the same already, but for the version that wrote it.
fn is_unchanged(entry: &Entry, now: &Counterexample) -> bool {
    let own = &entry.counterexample;
    *now == Counterexample { tool: now.tool.clone(), ..own.clone() }
}
