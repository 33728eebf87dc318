//! What the executions of a model show: outcomes, violated invariants, properties that were seen.
//!
//! In: a world after a step, once for every order. Out: values, never panics. Of all violations of an invariant the simplest
//! is kept: fewest faults, then calls, then steps, then the first by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canloom::scenario::{CallState, CallView, Reply, Scenario, Value, View, When};
use canloom::schedule::{Schedule, Step, StepKind};
use canloom::trace::Outcome;

use crate::canister::Answer;
use crate::host::CallError;
use crate::world::World;

/// Outcomes by number of calls and of faults, as `outcomes.txt` has them.
pub type Outcomes = BTreeMap<(u32, u32), BTreeSet<String>>;

/// A violated invariant, with the simplest schedule that violates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Name of the invariant.
    pub invariant: String,
    /// The steps, up to the one after which it is violated; canloom replays them on the wasm.
    pub schedule: Schedule,
    /// The observations after the last step, by name.
    pub observations: Vec<(String, Value)>,
    /// Why the invariant cannot be evaluated, if so.
    pub error: Option<String>,
}

impl Violation {
    /// The text of a `.cx` file for `canloom repro`, beside this scenario file. Hashes of modules are left out: no module took part.
    pub fn file(&self, scenario: &str) -> String {
        let (invariant, version) = (&self.invariant, env!("CARGO_PKG_VERSION"));
        format!(
            "canloom counterexample 1\nscenario: {scenario}\ninvariant: {invariant}\nverdict: violated\n\
             tool: canloom model {version}\n\n{}",
            self.schedule
        )
    }

    fn rank(&self) -> (usize, usize, usize, String) {
        let count = |is: fn(&Step) -> bool| self.schedule.steps.iter().filter(|step| is(step)).count();
        let (faults, calls) = (count(|step| !step.is_delivery()), count(|step| step.kind == StepKind::Start));
        (faults, calls, self.schedule.steps.len(), self.schedule.to_string())
    }
}

/// What was found so far.
pub(crate) struct Findings {
    scenario: Arc<Scenario>,
    pub outcomes: Outcomes,
    /// By position of the invariant.
    pub violations: BTreeMap<usize, Violation>,
    /// Positions of the `sometimes` invariants that were seen.
    pub seen: BTreeSet<usize>,
    values: BTreeMap<(usize, Vec<u8>), Arc<Value>>,
    replies: BTreeMap<Vec<u8>, Arc<Reply>>,
}

impl Findings {
    pub fn new(scenario: Arc<Scenario>) -> Findings {
        Findings {
            scenario,
            outcomes: Outcomes::new(),
            violations: BTreeMap::new(),
            seen: BTreeSet::new(),
            values: BTreeMap::new(),
            replies: BTreeMap::new(),
        }
    }

    /// Checks a world whose observations answered this.
    pub fn check(&mut self, world: &World, observed: &[Result<Vec<u8>, String>], is_complete: bool) {
        let observations: Vec<Arc<Value>> =
            observed.iter().enumerate().map(|(at, answer)| self.value(at, answer)).collect();
        let calls = self.calls(world);
        let (quiet, faulted) = (world.is_quiet(), world.faulted());
        let view = View { observations: &observations, calls: &calls, quiet, faulted, now_s: 0 };
        let started = world.trees.iter().filter(|tree| tree.is_started).count() as u32;
        if quiet && started > 0 {
            let outcome = Outcome::new(&self.scenario, &observations, &calls).to_string();
            self.outcomes.entry((started, faulted)).or_default().insert(outcome);
        }
        let scenario = self.scenario.clone();
        for (position, invariant) in scenario.invariants.iter().enumerate() {
            // Generic oracles compare with executions that the model does not make.
            let Some(expr) = invariant.expr() else { continue };
            let applies = match invariant.when {
                When::Always => true,
                When::Quiescent => quiet,
                When::Final => is_complete,
                When::Step => unreachable!("bug in the model: a scenario with invariants of steps was refused"),
                When::Sometimes => {
                    if expr.eval(&view) == Ok(true) {
                        self.seen.insert(position);
                    }
                    false
                }
            };
            let held = if applies { expr.eval(&view) } else { Ok(true) };
            if held != Ok(true) {
                let names = scenario.observations.iter().map(|observation| observation.name.clone());
                let violation = Violation {
                    invariant: invariant.name.clone(),
                    schedule: Schedule { steps: world.steps.clone() },
                    observations: names.zip(observations.iter().map(|value| value.as_ref().clone())).collect(),
                    error: held.err(),
                };
                match self.violations.get_mut(&position) {
                    Some(known) if known.rank() <= violation.rank() => {}
                    Some(known) => *known = violation,
                    None => drop(self.violations.insert(position, violation)),
                }
            }
        }
    }

    /// Values of observations in words, each with a comma after it, for messages.
    pub fn in_words(&mut self, observed: &[Result<Vec<u8>, String>]) -> String {
        let values = observed.iter().enumerate().map(|(at, answer)| self.value(at, answer)).collect::<Vec<_>>();
        let names = self.scenario.observations.iter().map(|observation| &observation.name);
        names.zip(values).map(|(name, value)| format!("{name} = {value}, ")).collect()
    }

    fn value(&mut self, observation: usize, answer: &Result<Vec<u8>, String>) -> Arc<Value> {
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(text) => return Arc::new(Value::Failed(text.clone())),
        };
        if let Some(value) = self.values.get(&(observation, bytes.clone())) {
            return value.clone();
        }
        let value = Value::decode_with(bytes, &self.scenario.labels);
        let path = &self.scenario.observations[observation].path;
        let value = value.and_then(|value| path.as_ref().map_or_else(|| Ok(value.clone()), |path| value.at(path)));
        let value = Arc::new(value.unwrap_or_else(Value::Failed));
        self.values.insert((observation, bytes.clone()), value.clone());
        value
    }

    fn calls(&mut self, world: &World) -> Vec<CallView> {
        let mut views = Vec::with_capacity(world.trees.len());
        for (tree, call) in world.trees.iter().zip(&world.setting.calls) {
            let state = match &tree.answer {
                _ if !tree.is_started => CallState::NotStarted,
                None => CallState::Open,
                Some(answer) => CallState::Done(self.reply(answer)),
            };
            let args: Arc<[u8]> = self.scenario.calls[call.entry].args.as_slice().into();
            let given = Arc::new(Value::decode_args(&args, &self.scenario.labels).unwrap_or_else(Value::Failed));
            views.push(CallView { entry: call.entry, actor: call.actor, state, args, given });
        }
        views
    }

    fn reply(&mut self, answer: &Answer) -> Arc<Reply> {
        let bytes = match answer {
            Ok(bytes) => bytes,
            Err(error) => {
                let code = if let CallError::Rejected(code) = error { *code } else { 5 };
                return Arc::new(Reply::Rejected { code, text: error.to_string() });
            }
        };
        if let Some(reply) = self.replies.get(bytes) {
            return reply.clone();
        }
        let value = Value::decode_with(bytes, &self.scenario.labels).unwrap_or_else(Value::Failed);
        let reply = Arc::new(Reply::Replied(value, bytes.clone()));
        self.replies.insert(bytes.clone(), reply.clone());
        reply
    }
}
