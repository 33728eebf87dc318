//! Which steps are possible in a world (docs/semantics.md).
//!
//! The bounds are the tool's: a fault on a canister as a whole begins while it runs; of several faults that can pay for a
//! step the first one pays; at most one call of a delivery cannot be performed.

use std::sync::Arc;

use canloom::scenario::{Bounds, CallState, CallView, Captured, FaultKind, FaultPlace, Filling, Instance, Reply};

use super::message::{Mode, Status};
use super::relation::Relation;
use super::step::{Change, Step};
use super::world::{Callback, World};

impl Relation<'_> {
    /// All steps that are possible in a world.
    pub fn steps(&self, world: &World) -> Vec<Step> {
        self.steps_within(world, &self.scenario.bounds)
    }

    /// All that would be possible within these bounds.
    pub fn steps_within(&self, world: &World, bounds: &Bounds) -> Vec<Step> {
        let mut steps = self.starts(world, bounds);
        self.tasks(world, bounds, &mut steps);
        steps.extend(self.deliveries(world, bounds.depth));
        for (&callback, waiting) in &world.callbacks {
            if !waiting.is_expired && self.has_passed(world, waiting) {
                steps.push(Step::Expire { fault: None, callback });
            }
        }
        for (entry, time) in self.scenario.times.iter().enumerate() {
            if world.passed[entry] < time.max && world.passed.iter().sum::<u32>() < bounds.times {
                steps.push(Step::Time(entry));
            }
        }
        self.go_on(world, &mut steps);
        if world.faults() < bounds.faults {
            self.performs(world, &mut steps);
            self.on_requests(world, bounds.depth, &mut steps);
            self.on_callbacks(world, &mut steps);
            self.on_canisters(world, &mut steps);
        }
        self.keep_to_turn(world, bounds.switches, &mut steps);
        steps
    }

    /// Must nothing happen any more? No message is in flight but requests that nobody waits for, no timer is due, no
    /// canister is to be started again.
    pub fn is_quiet(&self, world: &World) -> bool {
        let mut requests = world.queues.values().flatten();
        let is_at_rest = |at: usize| {
            let canister = &world.canisters[at];
            !self.is_timer_due(world, at) && canister.status != Status::Stopping && canister.stopped_by.is_none()
        };
        world.contexts.is_empty()
            && world.responses.is_empty()
            && requests.all(|request| world.is_expired(request))
            && !world.submitted.contains(&true)
            && (0..world.canisters.len()).all(is_at_rest)
    }

    /// Is a timer due that the bound on timers keeps from running?
    pub fn is_cut_by_timers(&self, world: &World) -> bool {
        let most = self.scenario.bounds.timers;
        (0..world.canisters.len()).any(|at| self.is_timer_due(world, at) && world.canisters[at].timers >= most)
    }

    /// The calls that may begin: by inspection, or by their start.
    pub fn starts(&self, world: &World, bounds: &Bounds) -> Vec<Step> {
        let may_begin = world.started() < bounds.calls && world.open() < bounds.in_flight;
        let begin = |(call, instance): (usize, &Instance)| -> Vec<Step> {
            if world.submitted[call] {
                return vec![Step::Start(call, world.calls[call].args.clone())];
            }
            let is_new = matches!(world.calls[call].state, CallState::NotStarted);
            if !may_begin || !is_new || !self.is_due(world, instance) {
                return Vec::new();
            }
            let canister = self.scenario.calls[instance.entry].canister;
            let inspects = self.host(world, canister).is_some_and(|host| host.has_export("canister_inspect_message"));
            let is_running = world.canisters[canister].status == Status::Running;
            let step = |arg| if inspects && is_running { Step::Submit(call, arg) } else { Step::Start(call, arg) };
            self.arguments(world, call).into_iter().map(step).collect()
        };
        self.instances.iter().enumerate().flat_map(begin).collect()
    }

    /// The arguments that a call instance may begin with: each of its values with each of the others'. Of values that calls
    /// capture it may use those of its own actor, if this one makes such a call, else everybody's.
    fn arguments(&self, world: &World, call: usize) -> Vec<Arc<[u8]>> {
        let Instance { entry, actor } = self.instances[call];
        let entry = &self.scenario.calls[entry];
        let Some(template) = &entry.template else { return vec![entry.args.as_slice().into()] };
        let mut captured = Captured::new();
        for name in template.captured() {
            let captures =
                |view: &CallView| self.scenario.calls[view.entry].captures.iter().find(|capture| capture.name == *name);
            let makes = |view: &&CallView| captures(view).is_some();
            let is_maker = world.calls.iter().filter(makes).any(|view| view.actor == actor);
            let mut values = world.captured.get(name).cloned().unwrap_or_default();
            for view in world.calls.iter().filter(|view| !is_maker || view.actor == actor) {
                if let (Some(capture), CallState::Done(reply)) = (captures(view), &view.state)
                    && let Reply::Replied(_, bytes) = reply.as_ref()
                {
                    values.extend(capture.of(bytes, &self.scenario.names()));
                }
            }
            captured.insert(name.clone(), Filling::sorted(values));
        }
        let variants = template.variants(&captured).expect("every captured value fits");
        variants.into_iter().map(|(_, bytes)| bytes.into()).collect()
    }

    /// Is everything answered that a call of this entry and actor comes after?
    fn is_due(&self, world: &World, instance: &Instance) -> bool {
        let Some(earlier) = self.scenario.calls[instance.entry].after else {
            return true;
        };
        let of_entry = || world.calls.iter().filter(|call| call.entry == earlier);
        let is_done = |call: &CallView| matches!(call.state, CallState::Done(_));
        if of_entry().any(|call| call.actor == instance.actor) {
            let mut own = of_entry().filter(|call| call.actor == instance.actor);
            own.all(is_done)
        } else {
            of_entry().all(is_done)
        }
    }

    /// Tasks run only while the canister is running (section 7.1).
    fn tasks(&self, world: &World, bounds: &Bounds, steps: &mut Vec<Step>) {
        for (at, canister) in world.canisters.iter().enumerate() {
            if self.is_timer_due(world, at) && canister.timers < bounds.timers {
                steps.push(Step::Task(at, Mode::Timer));
            }
            let beats = self.host(world, at).is_some_and(|host| host.has_export("canister_heartbeat"));
            if beats && canister.status == Status::Running && canister.heartbeats < bounds.heartbeats {
                steps.push(Step::Task(at, Mode::Heartbeat));
            }
        }
    }

    fn is_timer_due(&self, world: &World, at: usize) -> bool {
        let canister = &world.canisters[at];
        let ticks = self.host(world, at).is_some_and(|host| host.has_export("canister_global_timer"));
        let is_reached = canister.timer_ns != 0 && canister.timer_ns <= world.now_ns;
        ticks && is_reached && canister.status == Status::Running
    }

    /// The messages that may be delivered, in chains no longer than this.
    pub fn deliveries(&self, world: &World, depth_max: u32) -> Vec<Step> {
        let mut steps = Vec::new();
        for (&pair, queue) in &world.queues {
            for (place, request) in queue.iter().enumerate() {
                if request.depth <= depth_max {
                    steps.push(Step::Request(pair, place));
                }
                if !world.is_expired(request) {
                    break;
                }
            }
        }
        steps.extend(world.responses.keys().copied().map(Step::Response));
        steps
    }

    /// Whole seconds, and strictly passed (section 4.2).
    fn has_passed(&self, world: &World, waiting: &Callback) -> bool {
        waiting.deadline_ns.is_some_and(|deadline_ns| deadline_ns < world.now_ns - world.now_ns % 1_000_000_000)
    }

    /// Calls of deliveries that may fail to be performed: what is performed if none fails.
    fn performs(&self, world: &World, steps: &mut Vec<Step>) {
        if !self.scenario.faults.iter().any(|fault| fault.kinds.contains(&FaultKind::PerformFailed)) {
            return;
        }
        for at in 0..steps.len() {
            let of = match &steps[at] {
                of @ (Step::Start(..) | Step::Task(..) | Step::Request(..) | Step::Response(_)) => of.clone(),
                _ => continue,
            };
            let Some((caller, performed)) = self.apply(&mut world.clone(), &of) else { continue };
            for (n, (callee, method)) in performed.iter().enumerate() {
                let Some(callee) = self.hosts.iter().position(|hosts| hosts[0].id.as_slice() == callee) else {
                    continue;
                };
                let is_this = |kind: &FaultKind| *kind == FaultKind::PerformFailed;
                if let Some(fault) = self.payer(world, (caller, callee, method), is_this) {
                    steps.push(Step::PerformFails { fault, n: n + 1, of: Box::new(of.clone()) });
                }
            }
        }
    }

    fn on_requests(&self, world: &World, depth_max: u32, steps: &mut Vec<Step>) {
        for (&pair, queue) in &world.queues {
            let mut is_first = true;
            for (place, request) in queue.iter().enumerate() {
                if world.is_expired(request) {
                    continue;
                }
                let edge = (pair.0, pair.1, &*request.method);
                for code in [1, 2, 3, 5] {
                    if let Some(fault) = self.payer(world, edge, |kind| *kind == FaultKind::Reject { code }) {
                        steps.push(Step::Reject { fault, pair, place, code: u32::from(code) });
                    }
                }
                // An answer of the callee's own: it must be able to start the request.
                let can_answer =
                    is_first && request.depth <= depth_max && world.canisters[pair.1].status == Status::Running;
                for (kind, is_lie) in [(FaultKind::BusinessError, false), (FaultKind::Lie, true)] {
                    if let Some(fault) = self.payer(world, edge, |other| *other == kind)
                        && can_answer
                        && world.canisters[pair.1].code.is_some()
                    {
                        steps.push(Step::Script { fault, pair, place, is_lie });
                    }
                }
                is_first = false;
            }
        }
    }

    fn on_callbacks(&self, world: &World, steps: &mut Vec<Step>) {
        for (&callback, waiting) in &world.callbacks {
            let context = &world.contexts[&waiting.context];
            let is_here = |place: &FaultPlace| *place == FaultPlace::Callback(context.canister);
            let trap = self.payer_at(world, is_here, |kind| *kind == FaultKind::Trap);
            // No code runs in a deleted context, so none traps.
            if let Some(fault) = trap.filter(|_| world.responses.contains_key(&callback) && !context.is_deleted) {
                steps.push(Step::Trap { fault, callback });
            }
            let Some((caller, callee, method)) = &waiting.edge else {
                continue;
            };
            if waiting.deadline_ns.is_none() || waiting.is_expired || self.has_passed(world, waiting) {
                continue;
            }
            let is_unknown = |kind: &FaultKind| *kind == FaultKind::Unknown;
            if let Some(fault) = self.payer(world, (*caller, *callee, method), is_unknown) {
                steps.push(Step::Expire { fault: Some(fault), callback });
            }
        }
    }

    /// Whoever administers a canister begins with something.
    fn on_canisters(&self, world: &World, steps: &mut Vec<Step>) {
        for (at, canister) in world.canisters.iter().enumerate() {
            if canister.status != Status::Running {
                continue;
            }
            for (change, kinds) in [
                (Change::Stop, &[FaultKind::Stop, FaultKind::StopStart, FaultKind::StopUpgradeStart][..]),
                (Change::Upgrade, &[FaultKind::UpgradeNoStop]),
                (Change::Reinstall, &[FaultKind::Reinstall]),
                (Change::Uninstall, &[FaultKind::Uninstall]),
                (Change::Snapshot, &[FaultKind::SnapshotLoad]),
            ] {
                let is_here = |place: &FaultPlace| *place == FaultPlace::Canister(at);
                if let Some(fault) = self.payer_at(world, is_here, |kind| kinds.contains(kind)) {
                    steps.push(Step::Change { fault: Some(fault), canister: at, change });
                }
            }
        }
    }

    /// Whoever administers a canister goes on with what was begun.
    fn go_on(&self, world: &World, steps: &mut Vec<Step>) {
        for (at, canister) in world.canisters.iter().enumerate() {
            let mut add = |change| steps.push(Step::Change { fault: None, canister: at, change });
            if let Some(fault) = canister.stopped_by {
                let kinds = &self.scenario.faults[fault].kinds;
                if kinds.contains(&FaultKind::StopStart) {
                    add(Change::Start);
                }
                if kinds.contains(&FaultKind::StopUpgradeStart) && canister.status == Status::Stopped {
                    add(Change::UpgradeAndStart);
                }
            }
            if canister.snapshot.is_some() {
                add(Change::Load);
            }
        }
    }

    /// The first fault entry of this edge that has such a kind and can still pay.
    fn payer(
        &self,
        world: &World,
        (caller, callee, method): (usize, usize, &str),
        is_this: impl Fn(&FaultKind) -> bool,
    ) -> Option<usize> {
        let place = FaultPlace::Edge { caller, callee: Some(callee), method: String::from(method) };
        self.payer_at(world, |other| *other == place, is_this)
    }

    fn payer_at(
        &self,
        world: &World,
        is_here: impl Fn(&FaultPlace) -> bool,
        is_this: impl Fn(&FaultKind) -> bool,
    ) -> Option<usize> {
        self.scenario.faults.iter().enumerate().position(|(at, fault)| {
            is_here(&fault.place) && fault.kinds.iter().any(&is_this) && world.spent[at] < fault.budget
        })
    }
}
