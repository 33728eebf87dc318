//! A scenario made ready for executions: canisters in their first states, calls and faults by index.
//!
//! In: a scenario and the handlers of its canisters. Out: a [`Setting`], which never changes again and which every execution
//! shares. The setup calls have been made, in file order, each to its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use candid::Principal;
use canloom::scenario::{FaultKind, FaultPlace, Scenario, When};

use crate::canister::Message;
use crate::error::ModelError;
use crate::live::Installed;
use crate::mutation::Mutation;
use crate::world::World;

/// Installs a canister from its `init` argument.
pub(crate) type Install = fn(&[u8]) -> Result<Box<dyn Installed>, String>;

/// What all executions share.
pub(crate) struct Setting {
    pub scenario: Arc<Scenario>,
    pub canisters: Vec<Box<dyn Installed>>,
    pub calls: Vec<Call>,
    pub faults: Vec<Fault>,
    pub mutation: Option<Mutation>,
}

/// A call instance.
pub(crate) struct Call {
    /// Index of its entry in the scenario.
    pub entry: usize,
    pub actor: usize,
    pub canister: usize,
    pub message: Message,
    /// Calls that must be answered before it starts.
    pub after: Vec<usize>,
}

/// A fault that may be injected on one edge.
pub(crate) struct Fault {
    pub caller: usize,
    pub callee: usize,
    pub method: String,
    pub rejects: Vec<u8>,
    pub is_unknown: bool,
    pub budget: u32,
}

impl Setting {
    /// Installs the canisters and makes the setup calls.
    pub fn new(
        scenario: Arc<Scenario>,
        installs: &BTreeMap<String, Install>,
        mutation: Option<Mutation>,
    ) -> Result<Setting, ModelError> {
        let known = || scenario.canisters.iter().map(|canister| canister.name.clone()).collect();
        for name in installs.keys() {
            if !scenario.canisters.iter().any(|canister| canister.name == *name) {
                return Err(ModelError::NoCanister { canister: name.clone(), known: known() });
            }
        }
        let templates = scenario.calls.iter().filter_map(|call| call.template.as_ref());
        let templates = templates.chain(scenario.setup.iter().filter_map(|call| call.template.as_ref()));
        let observed = scenario.observations.iter().filter_map(|observation| observation.template.as_ref());
        if let Some(template) = templates.chain(observed).next() {
            let what = format!("an argument that is generated or captured (line {})", template.place.0);
            return Err(ModelError::NotModelled { what });
        }
        let steps = scenario.invariants.iter().find(|invariant| invariant.when == When::Step);
        if let Some(what) = steps.map(|invariant| format!("an invariant of steps (line {})", invariant.line)) {
            return Err(ModelError::NotModelled { what });
        }
        if let Some(ghost) = scenario.ghosts.first() {
            return Err(ModelError::NotModelled { what: format!("a ghost (`{}`)", ghost.name) });
        }
        let mut canisters = Vec::new();
        for canister in &scenario.canisters {
            let name = canister.name.clone();
            let Some(install) = installs.get(&name) else { return Err(ModelError::NoHandlers { canister: name }) };
            canisters.push(install(&canister.init).map_err(|what| ModelError::Init { canister: name, what })?);
        }
        let faults = faults(&scenario)?;
        let mut setting = Setting { calls: Vec::new(), faults, scenario: scenario.clone(), canisters, mutation: None };
        for (at, call) in scenario.setup.iter().enumerate() {
            let message = Message { caller: call.by, method: call.method.clone(), arg: call.args.clone() };
            setting.calls = vec![Call { entry: 0, actor: 0, canister: call.canister, message, after: Vec::new() }];
            setting = set_up(setting, at + 1)?;
        }
        setting.calls = calls(&scenario);
        setting.mutation = mutation;
        Ok(setting)
    }

    /// The canister with this id.
    pub fn canister(&self, id: Principal) -> Option<usize> {
        self.scenario.canisters.iter().position(|canister| canister.id == id)
    }
}

/// Makes the only call of a setting to its end and keeps the states.
fn set_up(setting: Setting, number: usize) -> Result<Setting, ModelError> {
    let method = setting.calls[0].message.method.clone();
    let failed = |what: &str| ModelError::Setup { number, method: method.clone(), what: what.to_string() };
    let setting = Arc::new(setting);
    let mut world = World::boot(&setting);
    while let Some(step) = world.steps_of(0).into_iter().find(canloom::schedule::Step::is_delivery) {
        world.apply(&step)?;
    }
    match world.answer(0) {
        Some(Ok(_)) => {}
        Some(Err(error)) => return Err(failed(&format!("was rejected: {error}"))),
        None => return Err(failed("does not come to its end")),
    }
    let canisters = world.install();
    drop(world);
    let setting = Arc::into_inner(setting).expect("bug in model: the world of a setup call is gone");
    Ok(Setting { canisters, ..setting })
}

fn calls(scenario: &Scenario) -> Vec<Call> {
    let instances = scenario.instances();
    let of_instance = |instance: &canloom::scenario::Instance| {
        let entry = &scenario.calls[instance.entry];
        // Answered before: the instances of the named entry by the same actor, or all of them if it has none.
        let before = |is_same_actor: bool| -> Vec<usize> {
            let is_named = |other: &canloom::scenario::Instance| {
                Some(other.entry) == entry.after && (!is_same_actor || other.actor == instance.actor)
            };
            (0..instances.len()).filter(|at| is_named(&instances[*at])).collect()
        };
        let after = Some(before(true)).filter(|calls| !calls.is_empty()).unwrap_or_else(|| before(false));
        let caller = scenario.actors[instance.actor].id;
        let message = Message { caller, method: entry.method.clone(), arg: entry.args.clone() };
        Call { entry: instance.entry, actor: instance.actor, canister: entry.canister, message, after }
    };
    instances.iter().map(of_instance).collect()
}

fn faults(scenario: &Scenario) -> Result<Vec<Fault>, ModelError> {
    if !scenario.times.is_empty() {
        return Err(ModelError::NotModelled { what: "time that passes (`[[time]]`)".to_string() });
    }
    let of_file = scenario.faults.iter().map(|fault| {
        let line = fault.line;
        let FaultPlace::Edge { caller, callee: Some(callee), method } = &fault.place else {
            return Err(ModelError::NotModelled { what: format!("the fault in line {line}, which is not on an edge") });
        };
        let mut rejects = Vec::new();
        for kind in &fault.kinds {
            match kind {
                FaultKind::Reject { code: code @ 1..=3 } => rejects.push(*code),
                FaultKind::Unknown => {}
                _ => {
                    let what = format!("the fault in line {line}: only clean rejects and SYS_UNKNOWN are");
                    return Err(ModelError::NotModelled { what });
                }
            }
        }
        Ok(Fault {
            caller: *caller,
            callee: *callee,
            method: method.clone(),
            rejects,
            is_unknown: fault.kinds.contains(&FaultKind::Unknown),
            budget: fault.budget,
        })
    });
    of_file.collect()
}
