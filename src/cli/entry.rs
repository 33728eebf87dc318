//! One counterexample file, opened with its scenario: for all commands that take one.

use std::path::Path;

use canloom::corpus::Entry;
use canloom::counterexample::{Counterexample, ReplayError, Replayed, replay_twice};
use canloom::engine::embedded::Embedded;
use canloom::files::{ReadError, shown};
use canloom::scenario::{Scenario, ScenarioError};

use super::{Exit, Failure, Memory, say};

/// A counterexample and what it is of.
pub struct Opened {
    /// What the file says.
    pub counterexample: Counterexample,
    /// Its scenario, installed.
    pub engine: Embedded,
    /// Its invariant, by position.
    pub invariant: usize,
}

/// Reads a file and installs its scenario; modules that have changed are a warning.
pub fn open(file: &Path, memory: &Memory) -> Result<Opened, Failure> {
    let entry = Entry::read(file).map_err(Failure::input)?;
    let scenario = Scenario::load(&entry.scenario()).map_err(|error| match error {
        ScenarioError::Read(ReadError::Missing { .. }) => Failure::input(entry.without_scenario()),
        error => Failure::input(error),
    })?;
    let engine = super::install(scenario, memory)?;
    let counterexample = entry.counterexample;
    let scenario = engine.scenario.clone();
    let file = shown(file);
    for (canister, hash) in &counterexample.modules {
        let known = scenario.canisters.iter().position(|other| other.name == *canister);
        let Some(at) = known else {
            return Err(Failure::input(format!(
                "{file}: canister `{canister}` is not in {}; correct one of the two",
                scenario.file.display()
            )));
        };
        if engine.hashes[at] != *hash {
            say(&format!(
                "warning: {file}: the module of canister `{canister}` is another one than when this was found; `canloom corpus migrate {file}` notes the one of today"
            ));
        }
    }
    let name = &counterexample.invariant;
    let invariant = scenario.invariant(name);
    let Some(invariant) = invariant else {
        return Err(Failure::input(format!(
            "{file}: invariant \"{name}\" is not in {}; correct one of the two",
            scenario.file.display()
        )));
    };
    Ok(Opened { counterexample, engine, invariant })
}

impl Opened {
    /// Replays it, twice; a step that cannot be made, or leads elsewhere the second time, is exit 4.
    pub fn replay(&mut self, file: &Path) -> Result<Replayed, Failure> {
        let schedule = &self.counterexample.schedule;
        replay_twice(&mut self.engine, schedule, Some(self.invariant)).map_err(|error| match error {
            ReplayError::Divergence { .. } => Failure {
                exit: Exit::Divergence,
                text: format!(
                    "{0}: {error}; the scenario or a module is not what it was: `canloom corpus check {0}` says more",
                    shown(file)
                ),
            },
            ReplayError::NotRepeatable { .. } => {
                Failure { exit: Exit::Divergence, text: format!("{}: {error}", shown(file)) }
            }
            ReplayError::Unsupported(error) => Failure::engine(error),
        })
    }

    /// Replays it; that it holds is exit 6.
    pub fn violated(&mut self, file: &Path) -> Result<Replayed, Failure> {
        let replayed = self.replay(file)?;
        let holds = format!(
            "{0}: the invariant holds on this schedule; if the bug was corrected: canloom corpus accept --fixed {0}",
            shown(file)
        );
        if replayed.violated.is_some() { Ok(replayed) } else { Err(Failure { exit: Exit::Stale, text: holds }) }
    }
}
