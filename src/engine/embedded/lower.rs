//! What may happen, read off a scenario: names become positions, texts become bytes.
//!
//! In: a [`Scenario`]. Out: a [`Plan`] as the kernel needs it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ghost::Sum;
use crate::kernel::{
    CallSpec, Change, Chosen, FaultSpec, GhostSpec, HeapSettings, Limits, MANAGEMENT, Moment, OutcallSpec, Place, Plan,
    TimeSpec,
};
use crate::scenario::{
    Bounds, Fault, FaultKind, FaultPlace, Ghost, GhostAt, Instance, Invariant, Oracle, Outcall, Scenario, TimeStep,
};

fn call_specs(scenario: &Scenario, chosen: Vec<Option<Chosen>>) -> Vec<CallSpec> {
    let instances = scenario.instances();
    let specs = instances.iter().zip(chosen).map(|(instance, chosen)| {
        let call = &scenario.calls[instance.entry];
        // Answered before: every instance of the named entry by the same actor, or all of them if it has none.
        let before = |same_actor: bool| -> Vec<usize> {
            let named = |other: &&(usize, &Instance)| {
                Some(other.1.entry) == call.after && (!same_actor || other.1.actor == instance.actor)
            };
            instances.iter().enumerate().filter(|other| named(&other)).map(|(at, _)| at).collect()
        };
        let after = Some(before(true)).filter(|calls| !calls.is_empty()).unwrap_or_else(|| before(false));
        CallSpec {
            entry: instance.entry,
            canister: call.canister as u16,
            method: call.method.clone(),
            arg: call.args.clone(),
            chosen,
            caller: scenario.actors[instance.actor].id,
            after,
        }
    });
    specs.collect()
}

/// What may happen, by positions. `chosen` says of each call instance how it chooses its argument; `upgrades` holds the module
/// of each fault that installs another one.
pub(super) fn plan(scenario: &Scenario, chosen: Vec<Option<Chosen>>, upgrades: &BTreeMap<usize, u16>) -> Plan {
    let faults = scenario.faults.iter().enumerate();
    let time = |time: &TimeStep| TimeSpec { advance_ns: time.advance_ns, max: time.max as u8 };
    Plan {
        calls: call_specs(scenario, chosen),
        faults: faults.map(|(at, fault)| fault_spec(fault, upgrades.get(&at).copied().unwrap_or(0))).collect(),
        times: scenario.times.iter().map(time).collect(),
        outcalls: outcall_specs(scenario),
        ghosts: scenario.ghosts.iter().map(|ghost| ghost_spec(scenario, ghost)).collect(),
        symmetric: symmetric(scenario),
        heaps: heap_settings(scenario),
        seed: u64::from(scenario.seed),
        marks: scenario.invariants.iter().any(reads_marks),
        limits: limits(scenario.bounds),
        wide: Limits { switches: None, ..limits(scenario.own_bounds) },
    }
}

/// The call instances of each interchangeable actor.
fn symmetric(scenario: &Scenario) -> Vec<Vec<usize>> {
    let instances = scenario.instances();
    let calls = |&actor: &usize| (0..instances.len()).filter(|&at| instances[at].actor == actor).collect();
    scenario.symmetric.iter().map(calls).collect()
}

fn ghost_spec(scenario: &Scenario, ghost: &Ghost) -> GhostSpec {
    GhostSpec {
        edge: (ghost.caller as u16, ghost.callee.map_or(MANAGEMENT, |callee| callee as u16)),
        method: ghost.method.clone(),
        at: match ghost.at {
            GhostAt::Effect => Moment::Effect,
            GhostAt::Reply => Moment::Reply,
        },
        adder: Arc::new(Sum { ghost: ghost.clone(), labels: scenario.labels.clone() }),
    }
}

/// Whether an invariant asks what happened in a tree beside what is left of it.
fn reads_marks(invariant: &Invariant) -> bool {
    let reads = |oracle: &Oracle| {
        matches!(oracle, Oracle::NoCallbackTrap { .. } | Oracle::ErrIsNoop { .. } | Oracle::Serializable { .. })
    };
    invariant.oracle().is_some_and(reads)
}

/// Bounds of the search.
pub(super) fn limits(bounds: Bounds) -> Limits {
    Limits {
        calls: bounds.calls,
        in_flight: bounds.in_flight,
        faults: bounds.faults,
        depth: bounds.depth,
        timers: bounds.timers,
        heartbeats: bounds.heartbeats,
        times: bounds.times,
        switches: bounds.switches.map(|most| most as u8),
    }
}

fn heap_settings(scenario: &Scenario) -> Vec<(u16, HeapSettings)> {
    let own = scenario.canisters.iter().enumerate().filter_map(|(at, canister)| {
        let (limit, threshold) = (canister.wasm_memory_limit, canister.wasm_memory_threshold);
        if limit.is_none() && threshold.is_none() {
            return None;
        }
        let settings = HeapSettings {
            limit: limit.map_or(HeapSettings::DEFAULT.limit, u64::from),
            threshold: threshold.map_or(0, u64::from),
        };
        Some((at as u16, settings))
    });
    own.collect()
}

fn fault_spec(fault: &Fault, module: u16) -> FaultSpec {
    let place = match &fault.place {
        FaultPlace::Edge { caller, callee, method } => {
            let callee = callee.map_or(MANAGEMENT, |callee| callee as u16);
            Place::Edge(*caller as u16, callee, method.clone())
        }
        FaultPlace::Callback(canister) => Place::Callbacks(*canister as u16),
        FaultPlace::Canister(canister) => Place::Canister(*canister as u16),
    };
    let mut spec = FaultSpec::new(place, fault.budget.min(255) as u8);
    spec.business_error = fault.business_error.as_deref().map(Arc::from);
    spec.lie = fault.lie.as_deref().map(Arc::from);
    (spec.module, spec.arg) = (module, Arc::from(fault.arg.as_slice()));
    for kind in &fault.kinds {
        match kind {
            FaultKind::Reject { code } => spec.rejects.push(*code),
            FaultKind::Unknown => spec.unknown = true,
            FaultKind::PerformFailed => spec.perform = true,
            FaultKind::Trap => spec.trap = true,
            FaultKind::Stop => spec.changes.push(Change::Stop),
            FaultKind::StopStart => spec.changes.push(Change::StopStart),
            FaultKind::StopUpgradeStart => spec.changes.push(Change::StopUpgradeStart),
            FaultKind::UpgradeNoStop => spec.changes.push(Change::UpgradeNoStop),
            FaultKind::Reinstall => spec.changes.push(Change::Reinstall),
            FaultKind::Uninstall => spec.changes.push(Change::Uninstall),
            FaultKind::SnapshotLoad => spec.changes.push(Change::SnapshotLoad),
            // Their scripts are set above.
            FaultKind::BusinessError | FaultKind::Lie => {}
        }
    }
    spec
}

pub(super) fn outcall_specs(scenario: &Scenario) -> Vec<OutcallSpec> {
    let spec = |outcall: &Outcall| OutcallSpec {
        url: outcall.url.clone(),
        status: outcall.status,
        bodies: outcall.replies.iter().map(|reply| reply.clone().into_bytes()).collect(),
    };
    scenario.outcalls.iter().map(spec).collect()
}
