//! Findings beside the corpus: what it knows of each, and what it does not.

use std::time::Duration;

use canloom::corpus::{self, Entry};
use canloom::counterexample::{Counterexample, Status};
use canloom::engine::embedded::Embedded;
use canloom::explore::{Completeness, Explored, Finding};
use canloom::shrink::another;

use super::options::Options;
use crate::cli::output::save;
use crate::cli::{Exit, Failure, say};

/// Time for looking for other bugs of invariants whose simplest violation is known, where no budget is given.
const BEYOND: Duration = Duration::from_secs(60);

/// A finding as a counterexample, and what the corpus knows of it.
pub struct Seen {
    pub counterexample: Counterexample,
    pub file: Option<String>,
    pub known: Option<Status>,
}

impl Seen {
    /// Looks it up; one that is wanted and not known is saved.
    pub fn of(engine: &Embedded, finding: &Finding, entries: &[Entry], wanted: bool) -> Seen {
        let counterexample = counterexample(engine, finding);
        let entry = corpus::known(entries, &counterexample).filter(|_| wanted);
        let (file, known) = match entry {
            // The steps of a fixed one hold; these do not.
            Some(entry) if entry.counterexample.status == Status::Fixed => {
                (save(&engine.scenario, &counterexample), Some(Status::Fixed))
            }
            Some(entry) => (Some(entry.file.clone()), Some(Status::Open)),
            None if wanted => (save(&engine.scenario, &counterexample), None),
            None => (None, None),
        };
        Seen { counterexample, file: file.map(|file| file.display().to_string()), known }
    }
}

/// A search names the simplest violation of an invariant, and that is known: whether it has others that are not.
pub fn beyond_known(
    options: &Options,
    engine: &mut Embedded,
    explored: &Explored,
    wanted: &[usize],
    entries: &[Entry],
) -> Result<Exit, Failure> {
    let is_complete = matches!(explored.completeness, Completeness::Exhaustive | Completeness::Within);
    let mut exit = if is_complete { Exit::Held } else { Exit::Inconclusive };
    for &at in wanted {
        let invariant = explored.findings[at].invariant;
        let name = engine.scenario.invariants[invariant].name.clone();
        let of_invariant = entries
            .iter()
            .filter(|entry| entry.counterexample.invariant == name && entry.counterexample.status == Status::Open);
        let known: Vec<String> = of_invariant.filter_map(|entry| entry.counterexample.point.clone()).collect();
        let time = options.budget.unwrap_or(BEYOND);
        match another(engine, invariant, &known, Some(time)).map_err(Failure::engine)? {
            Some(None) => {}
            Some(Some(finding)) => {
                let counterexample = counterexample(engine, &finding);
                let point = counterexample.point.clone().unwrap_or_default();
                let file =
                    save(&engine.scenario, &counterexample).map_or_else(String::new, |at| at.display().to_string());
                say(&format!("new: \"{name}\" at {point}: {file}"));
                exit = Exit::Violated;
            }
            None if exit == Exit::Held => {
                say(&format!(
                    "note: \"{name}\" is known, and time or memory did not suffice to look for other bugs of it"
                ));
                exit = Exit::Inconclusive;
            }
            None => {}
        }
    }
    Ok(exit)
}

/// The counterexample of a finding.
pub fn counterexample(engine: &Embedded, finding: &Finding) -> Counterexample {
    Counterexample::of(engine, finding.invariant, finding.schedule.clone())
}
