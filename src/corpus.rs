//! The corpus: counterexamples that people have looked at and committed, beside the scenarios that they are of.
//!
//! In: a folder. Out: what each entry says of today's canisters, and files that are moved in, marked, rewritten or dropped. An
//! entry is open (the bug is there, so the invariant must be violated) or fixed (it must hold). Bugs are told apart by
//! scenario, invariant and await point ([`Key`]).
//!
//! Every change is one rename, link or removal of a whole file, and what a second process does at the same time is decided by
//! the file system: no lock is taken, and none is left behind.

mod change;
mod check;
mod find;

use std::path::{Path, PathBuf};

use crate::counterexample::{Counterexample, CounterexampleError, Status, hangs_on};
use crate::engine::embedded::Embedded;
use crate::files::shown;

pub use change::{ChangeError, accept, drop_implied, fix, implied, migrated, rewrite};
pub use check::{Checked, Checker, Outcome, Unfit};
pub use find::{FindError, find, leftovers};

/// Ending of an accepted counterexample, and of one that nobody has looked at.
pub const ACCEPTED: &str = ".cx";
/// See above.
pub const NEW: &str = ".cx.new";

/// A counterexample and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its file.
    pub file: PathBuf,
    /// What it says.
    pub counterexample: Counterexample,
}

/// What tells one bug from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// File of the scenario.
    pub scenario: PathBuf,
    /// Name of the invariant.
    pub invariant: String,
    /// Name of the await point; `None` if the file does not say it.
    pub point: Option<String>,
}

impl Entry {
    /// Reads an entry.
    ///
    /// # Errors
    /// With file and line.
    pub fn read(file: &Path) -> Result<Entry, CounterexampleError> {
        Ok(Entry { file: file.to_path_buf(), counterexample: Counterexample::read(file)? })
    }

    /// The scenario's file, as it is to be opened.
    pub fn scenario(&self) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(&self.counterexample.scenario)
    }

    /// What to say if its scenario is not there.
    pub fn without_scenario(&self) -> String {
        format!(
            "{}: its scenario {} is not there; a counterexample lies beside its scenario, put it back there",
            shown(&self.file),
            shown(&self.scenario())
        )
    }

    /// What tells its bug from others.
    pub fn key(&self) -> Key {
        let Counterexample { invariant, point, .. } = &self.counterexample;
        Key { scenario: self.scenario(), invariant: invariant.clone(), point: point.clone() }
    }

    /// Whether it was accepted.
    pub fn is_accepted(&self) -> bool {
        self.file.to_string_lossy().ends_with(ACCEPTED)
    }
}

/// The accepted entry that a finding is known by: one with the same invariant and await point.
pub fn known<'a>(entries: &'a [Entry], finding: &Counterexample) -> Option<&'a Entry> {
    let is_same = |entry: &&Entry| {
        let other = &entry.counterexample;
        other.invariant == finding.invariant && other.point.is_some() && other.point == finding.point
    };
    // An open entry is what a finding is known by; a fixed one says that the bug has come back.
    let found = entries.iter().filter(|entry| entry.is_accepted()).filter(is_same);
    found.min_by_key(|entry| entry.counterexample.status)
}

/// The accepted entries beside an installed scenario that are of it and of one of these invariants, each with its await point;
/// what cannot be read is left out, for `canloom corpus check` says it.
pub fn beside(engine: &Embedded, invariants: &[&str]) -> Vec<Entry> {
    let scenario = &engine.scenario;
    let files = std::fs::read_dir(scenario.folder()).into_iter().flatten().flatten();
    // Links are not followed, here as elsewhere.
    let files = files.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())).map(|entry| entry.path());
    let files = files.filter(|file| find::is_entry(file));
    // Named as the scenario is: without a folder if it is named without one.
    let mut files: Vec<PathBuf> =
        files.map(|file| scenario.file.with_file_name(file.file_name().unwrap_or_default())).collect();
    files.sort();
    let entries = files.iter().filter_map(|file| Entry::read(file).ok());
    let own = scenario.file.file_name();
    let entries = entries.filter(|entry| entry.is_accepted() && entry.counterexample.scenario.file_name() == own);
    let entries = entries.filter(|entry| invariants.contains(&entry.counterexample.invariant.as_str()));
    entries.map(|entry| with_point(engine, entry)).collect()
}

/// Of an open entry its steps say the await point, whatever its head says; if they do not violate the invariant any more, it is
/// none that a finding is known by.
fn with_point(engine: &Embedded, mut entry: Entry) -> Entry {
    let Counterexample { invariant, point, schedule, status, .. } = &mut entry.counterexample;
    let position = engine.scenario.invariant(invariant);
    if let (Status::Open, Some(position)) = (status, position) {
        let guilty = hangs_on(&mut engine.fork(), position, schedule).ok().flatten().unwrap_or_default();
        let names: Vec<String> = guilty.into_iter().map(|guilty| guilty.point.name).collect();
        // The shrinker may have stayed with another one than the first.
        *point = point.take().filter(|point| names.contains(point)).or(names.into_iter().next());
    }
    entry
}
