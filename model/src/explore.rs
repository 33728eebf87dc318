//! All plans of a scenario: the model as a whole.
//!
//! In: a scenario and the handlers of its canisters. Out: what all executions with a given number of calls show. Calls are chosen
//! in every possible way where the scenario has more; plans are found one from the other (see `plan`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use canloom::scenario::{Scenario, When};

use crate::canister::Canister;
use crate::error::ModelError;
use crate::findings::{Findings, Outcomes, Violation};
use crate::live;
use crate::mutation::Mutation;
use crate::orders::Orders;
use crate::plan::Plan;
use crate::run::{CALLS_MAX, Session, lock, run};
use crate::setting::{Install, Setting};
use crate::turn::Shared;
use crate::world::World;

/// Executions after which an exploration gives up, if nothing else is said: some hours.
const EXECUTIONS_MAX: u64 = 100_000_000;

/// A scenario whose canisters are handlers in Rust.
#[derive(Clone, Debug)]
pub struct Model {
    scenario: Arc<Scenario>,
    installs: BTreeMap<String, Install>,
    mutation: Option<Mutation>,
    executions_max: u64,
}

/// What all executions of a model show.
#[derive(Clone, Debug)]
pub struct Explored {
    /// Outcomes by number of calls and of faults; those of fewer calls than explored are met on the way.
    pub outcomes: Outcomes,
    /// The simplest violation of each violated invariant, in the order of the scenario.
    pub violations: Vec<Violation>,
    /// Names of the `sometimes` invariants that no world satisfied.
    pub unseen: Vec<String>,
    /// Orders of steps to the end of all calls, faults included.
    pub interleavings: u64,
    /// Executions that loom made.
    pub executions: u64,
    /// Those among them whose order the IC does not have, or which belong to another plan.
    pub cut: u64,
    /// Plans, each explored on its own.
    pub plans: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Model {
    /// A model of this scenario, whose wasm files are not looked at.
    pub fn new(scenario: Scenario) -> Model {
        let scenario = Arc::new(scenario);
        Model { scenario, installs: BTreeMap::new(), mutation: None, executions_max: EXECUTIONS_MAX }
    }

    /// Says which handlers the canister of this name has.
    pub fn canister<C: Canister>(mut self, name: &str) -> Model {
        self.installs.insert(name.to_string(), live::install::<C>);
        self
    }

    /// Breaks the semantics, to see that a comparison notices.
    pub fn mutate(mut self, mutation: Mutation) -> Model {
        self.mutation = Some(mutation);
        self
    }

    /// Gives up after so many executions of loom.
    pub fn executions_max(mut self, most: u64) -> Model {
        self.executions_max = most;
        self
    }

    /// Explores every order of `calls` calls, chosen from the scenario's in every possible way, with its faults.
    ///
    /// # Errors
    /// If there is no result: the calls are too many for loom, a canister lacks handlers, a handler panics or is not
    /// deterministic. Violated invariants are results.
    pub fn explore(&self, calls: usize) -> Result<Explored, ModelError> {
        let has = self.scenario.instances().len();
        if calls == 0 || calls > has {
            return Err(ModelError::NoSuchCalls { calls, has });
        }
        if calls > CALLS_MAX {
            return Err(ModelError::TooManyCalls { calls, most: CALLS_MAX });
        }
        let began = Instant::now();
        let setting = Arc::new(Setting::new(self.scenario.clone(), &self.installs, self.mutation)?);
        let mut findings = Findings::new(self.scenario.clone());
        let start = World::boot(&setting);
        findings.check(&start, &start.observe(), false);
        drop(start);
        let shared = Shared { findings, orders: Orders::default(), others: BTreeSet::new(), interleavings: 0, cut: 0 };
        let session = Arc::new(Mutex::new(Session::new(shared, self.executions_max)));
        let plans = explore_plans(&setting, choices(&setting, calls), &session)?;
        let session = lock(&session);
        Ok(self.explored(&session, plans, began.elapsed()))
    }

    fn explored(&self, session: &Session, plans: u64, elapsed: Duration) -> Explored {
        let shared = &session.shared;
        let invariants = self.scenario.invariants.iter().enumerate();
        let unseen = invariants.filter(|(at, one)| one.when == When::Sometimes && !shared.findings.seen.contains(at));
        Explored {
            outcomes: shared.findings.outcomes.clone(),
            violations: shared.findings.violations.values().cloned().collect(),
            unseen: unseen.map(|(_, invariant)| invariant.name.clone()).collect(),
            interleavings: shared.interleavings,
            executions: session.executions,
            cut: shared.cut,
            plans,
            elapsed,
        }
    }
}

/// Explores these plans and all that they lead to; returns how many.
fn explore_plans(
    setting: &Arc<Setting>,
    mut known: BTreeSet<Plan>,
    session: &Arc<Mutex<Session>>,
) -> Result<u64, ModelError> {
    let mut waiting: VecDeque<Plan> = known.iter().cloned().collect();
    while let Some(plan) = waiting.pop_front() {
        let plan = Arc::new(plan);
        let before = lock(session).executions;
        run(setting, &plan, session)?;
        // A second time, where nothing was repeated: else an execution that is not deterministic would go unnoticed.
        if lock(session).executions == before + 1 {
            run(setting, &plan, session)?;
            lock(session).executions -= 1;
        }
        let shared = &mut lock(session).shared;
        shared.orders = Orders::default();
        for (at, step) in std::mem::take(&mut shared.others) {
            let more = plan.with(at, step);
            if more.faults() <= setting.scenario.bounds.faults && known.insert(more.clone()) {
                waiting.push_back(more);
            }
        }
    }
    Ok(known.len() as u64)
}

/// The plans without entries: every choice of so many calls that can all be started.
fn choices(setting: &Setting, calls: usize) -> BTreeSet<Plan> {
    let all = setting.calls.len();
    let mut chosen: Vec<Vec<usize>> = vec![Vec::new()];
    for call in 0..all {
        let with = chosen.iter().filter(|calls_before| calls_before.len() < calls).map(|calls_before| {
            let mut calls_before = calls_before.clone();
            calls_before.push(call);
            calls_before
        });
        let with: Vec<Vec<usize>> = with.collect();
        chosen.retain(|calls_before| calls_before.len() + (all - call - 1) >= calls);
        chosen.extend(with);
    }
    let can_start = |calls: &Vec<usize>| {
        let mut needed = calls.iter().flat_map(|call| &setting.calls[*call].after);
        needed.all(|before| calls.contains(before))
    };
    chosen.into_iter().filter(|chosen| chosen.len() == calls && can_start(chosen)).map(Plan::of).collect()
}
