//! `canloom corpus migrate`.

use canloom::corpus::{Entry, Outcome, migrated, rewrite};
use canloom::counterexample::{Counterexample, Status};

use super::super::progress::Line;
use super::super::{Exit, Failure, Memory, print};
use super::{Files, checker, worst};

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
    wrong.iter().for_each(|what| eprintln!("error: {what}"));
    let mut checker = checker(&options.memory)?;
    let mut rewritten = 0;
    for (at, entry) in entries.iter().enumerate() {
        let file = entry.file.display();
        line.say(&format!("replaying {} of {}: {file}", at + 1, entries.len()));
        let outcome = checker.check(entry).map(|checked| checked.outcome);
        let is_as_before = match (entry.counterexample.status, &outcome) {
            (Status::Open, Ok(Outcome::Violated(_))) | (Status::Fixed, Ok(Outcome::Holds)) => true,
            (_, Ok(_)) => false,
            (_, Err(error)) => {
                eprintln!("error: {file}: {error}");
                exits.push(Exit::Input);
                continue;
            }
        };
        if !is_as_before {
            // Today's modules are not what it is of.
            eprintln!("error: {file}: left as it is: `canloom corpus check` says what is wrong with it");
            exits.push(Exit::Stale);
            continue;
        }
        let engine = checker.engine(entry).map_err(Failure::input)?;
        let scenario = engine.scenario.clone();
        let name = &entry.counterexample.invariant;
        let invariant = scenario.invariants.iter().position(|invariant| invariant.name == *name);
        let invariant = invariant.expect("bug in canloom: it was just replayed");
        let replayed = Counterexample::of(engine, invariant, entry.counterexample.schedule.clone());
        let (to, now) = migrated(entry, &replayed, &scenario.name);
        if to == entry.file && is_unchanged(entry, &now) {
            continue;
        }
        if let Err(error) = rewrite(entry, &to, &now) {
            eprintln!("error: {error}");
            exits.push(Exit::Input);
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
