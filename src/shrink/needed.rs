//! What of a scenario a counterexample needs: its setup calls and its canisters.
//!
//! In: a scenario and a counterexample. Out: setup calls without which it violates the invariant at the same await point, too,
//! each left out with those before it that can be; and canisters that no step acts on and nothing observes.

use std::sync::Arc;

use crate::counterexample::play::{items, play};
use crate::counterexample::{AwaitPoint, hangs_on};
use crate::engine::allowance::Allowance;
use crate::engine::embedded::{Embedded, EmbeddedError, Modules};
use crate::kernel::Unsupported;
use crate::scenario::Scenario;
use crate::schedule::Schedule;

/// What a counterexample does not need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unneeded {
    /// Setup calls, by position.
    pub setup: Vec<usize>,
    /// Canisters, by position: no step acts on them, and no observation and no setup call that is needed asks them.
    pub canisters: Vec<usize>,
}

/// Looks for what a counterexample to an invariant, by position, does not need.
///
/// # Errors
/// If the scenario cannot be installed, or a canister asks for something that the engine does not offer.
pub fn unneeded(
    engine: &mut Embedded,
    invariant: usize,
    schedule: &Schedule,
    point: &AwaitPoint,
) -> Result<Unneeded, EmbeddedError> {
    let scenario = engine.scenario.clone();
    let allowance = engine.allowance().clone();
    let mut modules = Modules::new()?;
    let mut setup = Vec::new();
    // From the last one back: later calls may need what earlier ones did.
    for at in (0..scenario.setup.len()).rev() {
        let gone: Vec<usize> = setup.iter().copied().chain([at]).collect();
        if shows(&without(&scenario, &gone), &allowance, &mut modules, invariant, schedule, point) {
            setup.push(at);
        }
    }
    setup.sort_unstable();
    let acted_on = acted_on(engine, schedule)?;
    let asked = |at: &usize| {
        let by_setup = scenario.setup.iter().enumerate().any(|(n, call)| call.canister == *at && !setup.contains(&n));
        by_setup || scenario.observations.iter().any(|observation| observation.canister == *at)
    };
    let canisters = (0..scenario.canisters.len()).filter(|at| !acted_on.contains(at) && !asked(at)).collect();
    Ok(Unneeded { setup, canisters })
}

fn without(scenario: &Scenario, setup: &[usize]) -> Scenario {
    let mut scenario = scenario.clone();
    let mut at = 0;
    scenario.setup.retain(|_| {
        at += 1;
        !setup.contains(&(at - 1))
    });
    scenario
}

/// Whether a scenario shows the same bug on this schedule; one that cannot be installed does not.
fn shows(
    scenario: &Scenario,
    allowance: &Allowance,
    modules: &mut Modules,
    invariant: usize,
    schedule: &Schedule,
    point: &AwaitPoint,
) -> bool {
    let Ok(mut engine) = Embedded::open_with(Arc::new(scenario.clone()), allowance, modules) else { return false };
    engine.prepare(None);
    let Ok(Some(guilty)) = hangs_on(&mut engine, invariant, schedule) else { return false };
    guilty.iter().any(|guilty| guilty.point == *point)
}

/// Canisters that a step acts on.
fn acted_on(engine: &mut Embedded, schedule: &Schedule) -> Result<Vec<usize>, Unsupported> {
    let played = play(engine, &items(&schedule.steps), None, Some(usize::MAX))?;
    let all = played.made.iter().filter_map(|made| crate::counterexample::awaits::acts_on(engine, made));
    Ok(all.map(usize::from).collect())
}
