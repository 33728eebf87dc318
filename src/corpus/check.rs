//! What entries of a corpus say of today's canisters.
//!
//! In: entries. Out: for each of them an [`Outcome`]. Entries of one scenario share an installation, and all of them the
//! modules.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::Entry;
use crate::counterexample::{ReplayError, Replayed, Status, lenient, replay};
use crate::engine::allowance::Allowance;
use crate::engine::embedded::{Embedded, EmbeddedError, Modules};
use crate::files::{ReadError, shown};
use crate::kernel::Refusal;
use crate::scenario::{Scenario, ScenarioError};
use crate::schedule::{Root, Step};

/// Installations that are kept: entries come in the order of their folders.
const KEPT: usize = 4;

/// What an entry comes to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The invariant is violated.
    Violated(Box<Replayed>),
    /// All steps can be made, and it holds; of a fixed entry, those that are still possible.
    Holds,
    /// It names what the scenario does not have: an invariant, a canister, a call.
    Unknown(String),
    /// It names a message that is no longer sent.
    Gone(String),
    /// A step exists and cannot be made: canister or tool do not do what they did.
    Diverged(String),
}

impl Outcome {
    /// Whether it is what an entry of this status says of itself.
    pub fn is_expected(&self, status: Status) -> bool {
        matches!((status, self), (Status::Open, Outcome::Violated(_)) | (Status::Fixed, Outcome::Holds))
    }
}

/// Why an entry could not be replayed at all. Texts name its file.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Its scenario is wrong or is not there, cannot be installed, or asks for what the engine does not offer.
    #[error("{0}")]
    Input(String),
    /// The machine does not give what is needed.
    #[error("{0}")]
    Machine(String),
}

impl Unfit {
    fn scenario(entry: &Entry, error: &ScenarioError) -> Unfit {
        Unfit::Input(match error {
            ScenarioError::Read(ReadError::Missing { .. }) => entry.without_scenario(),
            error => format!("{}: {error}", shown(&entry.file)),
        })
    }

    fn engine(entry: &Entry, error: &EmbeddedError) -> Unfit {
        let text = format!("{}: {error}", shown(&entry.file));
        if matches!(error, EmbeddedError::Machine(_)) { Unfit::Machine(text) } else { Unfit::Input(text) }
    }
}

/// An entry that was replayed.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What came of it.
    pub outcome: Outcome,
    /// Canisters whose module is another one than when the entry was written.
    pub changed: Vec<String>,
}

/// Replays entries.
pub struct Checker {
    modules: Modules,
    allowance: Allowance,
    open: HashMap<PathBuf, Embedded>,
    order: Vec<PathBuf>,
}

impl Checker {
    /// One that has nothing installed yet.
    ///
    /// # Errors
    /// If wasmtime does not run here.
    pub fn new(allowance: Allowance) -> Result<Checker, EmbeddedError> {
        Ok(Checker { modules: Modules::new()?, allowance, open: HashMap::new(), order: Vec::new() })
    }

    /// The scenario of an entry, installed.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn engine(&mut self, entry: &Entry) -> Result<&mut Embedded, Unfit> {
        let file = entry.scenario();
        if !self.open.contains_key(&file) {
            if self.order.len() == KEPT {
                self.open.remove(&self.order.remove(0));
            }
            let scenario = Arc::new(Scenario::load(&file).map_err(|error| Unfit::scenario(entry, &error))?);
            let engine = Embedded::open_with(scenario, &self.allowance, &mut self.modules)
                .map_err(|error| Unfit::engine(entry, &error))?;
            self.open.insert(file.clone(), engine);
            self.order.push(file.clone());
        }
        Ok(self.open.get_mut(&file).expect("bug in canloom: just opened"))
    }

    /// Replays an entry.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn check(&mut self, entry: &Entry) -> Result<Checked, Unfit> {
        let engine = self.engine(entry)?;
        let counterexample = &entry.counterexample;
        let scenario = engine.scenario.clone();
        let mut changed = Vec::new();
        for (canister, hash) in &counterexample.modules {
            match scenario.canisters.iter().position(|other| other.name == *canister) {
                Some(at) if engine.hashes[at] == *hash => {}
                Some(_) => changed.push(canister.clone()),
                None => {
                    let what = format!("canister `{canister}` is not in {}", scenario.file.display());
                    return Ok(Checked { outcome: Outcome::Unknown(what), changed });
                }
            }
        }
        let name = &counterexample.invariant;
        let Some(invariant) = scenario.invariant(name) else {
            let what = format!("invariant \"{name}\" is not in {}", scenario.file.display());
            return Ok(Checked { outcome: Outcome::Unknown(what), changed });
        };
        let calls = engine.kernel.calls().len();
        let unknown = counterexample.schedule.steps.iter().find_map(|step| match &step.root {
            Root::Call(call) if *call as usize >= calls => Some(format!("call {call} is not in")),
            Root::Task { canister, .. } if !scenario.canisters.iter().any(|other| *other.name == **canister) => {
                Some(format!("canister `{canister}` is not in"))
            }
            _ => None,
        });
        if let Some(what) = unknown {
            let what = format!("{what} {}", scenario.file.display());
            return Ok(Checked { outcome: Outcome::Unknown(what), changed });
        }
        let replayed = match counterexample.status {
            Status::Open => replay(engine, &counterexample.schedule, Some(invariant)),
            Status::Fixed => lenient(engine, &counterexample.schedule, Some(invariant)),
        };
        if let (Status::Fixed, Ok(replayed)) = (counterexample.status, &replayed) {
            let made = |step: &Step| replayed.trace.events.iter().any(|event| event.step == *step);
            let steps = &counterexample.schedule.steps;
            if !steps.is_empty() && !steps.iter().any(made) {
                let what = "none of its steps can be made any more".to_string();
                return Ok(Checked { outcome: Outcome::Gone(what), changed });
            }
        }
        let outcome = match replayed {
            Ok(replayed) if replayed.violated.is_some() => Outcome::Violated(Box::new(replayed)),
            Ok(_) => Outcome::Holds,
            Err(ReplayError::Divergence { number, step, refusal: Refusal::Missing(what), .. }) => {
                Outcome::Gone(format!("step {number} (`{step}`) no longer exists: {what}"))
            }
            Err(error @ (ReplayError::Divergence { .. } | ReplayError::NotRepeatable { .. })) => {
                Outcome::Diverged(error.to_string())
            }
            Err(ReplayError::Unsupported(error)) => {
                return Err(Unfit::engine(entry, &error.into()));
            }
        };
        Ok(Checked { outcome, changed })
    }
}
