//! A counterexample as a test: its steps, followed as far as they are possible.

use std::path::Path;
use std::sync::Arc;

use crate::counterexample::lenient;
use crate::engine::embedded::Embedded;
use crate::report::text;
use crate::scenario::Scenario;
use crate::schedule::{Schedule, Step};

/// The invariant of this name holds while these steps are made in the scenario of this file. Steps that are not possible, as when
/// a canister was corrected, are left out; what is under way afterwards is delivered, first in, first out.
///
/// ```no_run
/// canloom::testing::holds("corpus/vault-sound/scenario.toml", "book equals ledger when quiet", &["0", "0.1", "0.1r"]);
/// ```
///
/// # Panics
/// With the steps one by one, if the invariant is violated after one of them; with the reason, if the scenario cannot be read
/// or installed, has no such invariant, or a step is no step.
pub fn holds(scenario: impl AsRef<Path>, invariant: &str, steps: &[&str]) {
    let report = violation(scenario.as_ref(), invariant, steps).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.is_none(), "{}", report.unwrap_or_default());
}

/// The report of a violation, if there is one.
fn violation(file: &Path, invariant: &str, steps: &[&str]) -> Result<Option<String>, String> {
    let scenario = Scenario::load(file).map_err(|error| error.to_string())?;
    let position = scenario.invariant(invariant);
    let position = position.ok_or_else(|| format!("{}: there is no invariant \"{invariant}\"", file.display()))?;
    let steps: Result<Vec<Step>, _> = steps.iter().map(|step| step.parse()).collect();
    let schedule = Schedule { steps: steps.map_err(|error: crate::schedule::StepError| error.to_string())? };
    let mut engine = Embedded::open(Arc::new(scenario)).map_err(|error| error.to_string())?;
    let replayed = lenient(&mut engine, &schedule, Some(position)).map_err(|error| error.to_string())?;
    Ok(replayed.violated.is_some().then(|| text::counterexample(&engine.scenario, position, &replayed)))
}
