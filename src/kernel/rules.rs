//! Why a step is legal in a world, or which rule or bound is in its way.
//!
//! The rules (semantics 3.1, 3.4, 4.2, 8): ingress is unordered; requests of one pair start in the order in which they were
//! sent, where an expired one ahead may be passed over, which drops it; responses are unordered; a clean reject can take a
//! request that has not started, at any place of its queue; a bounded-wait call can expire as long as its callback is open;
//! a timer runs at any moment after it is due, a heartbeat at any moment, both only while the canister is running.

use crate::schedule::{Step, Task};

use super::plan::Place;
use super::system::{Hook, Status};
use super::tree::Request;
use super::world::{NOT_STARTED, World};
use super::{FaultSpec, Kernel, TaskSpec};

/// Why a step of a schedule is not legal in a world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such message.
    #[error("no such message: {0}")]
    Missing(String),
    /// A rule of the IC forbids it.
    #[error("not legal on the IC: {0}")]
    Rule(String),
    /// A bound or budget of the scenario forbids it.
    #[error("outside the scenario's bounds: {0}")]
    Bound(String),
}

impl Kernel {
    /// Whether one more fault fits into the bound.
    pub(super) fn may_fault(&self, world: &World) -> bool {
        world.faulted() < self.plan.limits.faults
    }

    pub(super) fn within_faults(&self, world: &World, step: &Step) -> Result<(), Refusal> {
        if self.may_fault(world) {
            return Ok(());
        }
        let most = self.plan.limits.faults;
        Err(Refusal::Bound(format!("{step} would be one fault more than the {most} allowed")))
    }

    /// Whether one more time step fits into the bound.
    pub(super) fn may_pass_time(&self, world: &World) -> bool {
        world.passed() < self.plan.limits.times
    }

    /// The first fault of the plan that matches a request's edge, offers this kind and has budget left.
    pub(super) fn payer(&self, world: &World, request: &Request, offers: impl Fn(&FaultSpec) -> bool) -> Option<u8> {
        self.payer_of(world, request.faults, offers)
    }

    /// Likewise, among the faults whose bits are set.
    pub(super) fn payer_of(&self, world: &World, bits: u32, offers: impl Fn(&FaultSpec) -> bool) -> Option<u8> {
        let faults = &self.plan.faults;
        let pays = |at: &usize| bits & (1 << at) != 0 && offers(&faults[*at]) && world.faults[*at] < faults[*at].budget;
        (0..faults.len()).find(pays).map(|at| at as u8)
    }

    /// The first fault that may let a callback of a canister trap.
    pub(super) fn trap_payer(&self, world: &World, canister: u16) -> Option<u8> {
        self.payer_of(world, u32::MAX, |fault| fault.trap && fault.place == Place::Callbacks(canister))
    }

    /// Whether a call that has not begun must pass `canister_inspect_message` first (semantics 2.7).
    pub(super) fn must_submit(&self, world: &World, call: usize) -> bool {
        let canister = self.plan.calls[call].canister;
        let memory = world.canisters[usize::from(canister)].memory;
        world.trees[call] == NOT_STARTED
            && self.system(world.canisters[usize::from(canister)]).status == Status::Running
            && self.guests[usize::from(canister)].inspects(memory)
    }

    pub(super) fn may_start(&self, world: &World, call: usize) -> Result<(), Refusal> {
        if world.trees[call] != NOT_STARTED {
            if self.tree(world.trees[call]).submitted {
                return self.after_hook(world, self.plan.calls[call].canister);
            }
            return Err(Refusal::Rule(format!("call {call} has started already, a call starts once")));
        }
        let limits = self.plan.limits;
        if self.started(world) >= limits.calls {
            return Err(Refusal::Bound(format!("{} calls have started, more are not allowed", limits.calls)));
        }
        if self.open_calls(world) >= limits.in_flight {
            return Err(Refusal::Bound(format!("{} calls are in flight, more are not allowed", limits.in_flight)));
        }
        self.after_hook(world, self.plan.calls[call].canister)?;
        match self.plan.calls[call].after.iter().find(|&&first| self.answer(world.trees[first]).is_none()) {
            Some(first) => Err(Refusal::Bound(format!("call {call} starts after call {first}, which is not answered"))),
            None => Ok(()),
        }
    }

    /// Calls that have started and are not answered.
    pub(super) fn open_calls(&self, world: &World) -> u32 {
        let calls = &world.trees[..self.plan.calls.len()];
        calls.iter().filter(|&&tree| tree != NOT_STARTED && self.answer(tree).is_none()).count() as u32
    }

    /// Whether a canister is running, not stopping or stopped.
    pub fn is_running(&self, world: &World, canister: u16) -> bool {
        self.system(world.canisters[usize::from(canister)]).status == Status::Running
    }

    /// Whether a replica would run a task of a canister now, whatever the bounds say: it is running and exports the entry point;
    /// for a timer, that it is due, and for the low-memory hook, that nothing but responses may come before it.
    pub fn is_due(&self, world: &World, canister: u16, task: Task) -> bool {
        match task {
            Task::Timer => self.is_timer_due(world, canister),
            Task::LowMemory => self.must_run_hook(world, canister),
            _ => {
                let memory = world.canisters[usize::from(canister)].memory;
                self.is_running(world, canister) && self.guests[usize::from(canister)].runs(memory, task)
            }
        }
    }

    /// The tree of a canister's next task of a kind, if the bound allows one more.
    pub fn next_task(&self, world: &World, canister: u16, task: Task) -> Option<u32> {
        let calls = self.plan.calls.len();
        let free = |(at, spec): &(usize, &TaskSpec)| {
            spec.canister == canister && spec.task == task && world.trees[calls + at] == NOT_STARTED
        };
        self.tasks.iter().enumerate().find(free).map(|(at, _)| (calls + at) as u32)
    }

    /// Whether a canister's timer is due and would run.
    pub(super) fn is_timer_due(&self, world: &World, canister: u16) -> bool {
        self.system(world.canisters[usize::from(canister)]).status == Status::Running
            && self.timer(world, canister) == Some(0)
    }

    /// Nanoseconds until a canister's timer is due, 0 if it is; `None` if it is not set or would not run.
    pub fn timer(&self, world: &World, canister: u16) -> Option<u64> {
        let state = world.canisters[usize::from(canister)];
        let timer_ns = self.system(state).timer_ns;
        let runs = timer_ns != 0 && self.guests[usize::from(canister)].runs(state.memory, Task::Timer);
        runs.then(|| timer_ns.saturating_sub(world.time_ns))
    }

    /// Whether nothing but responses may reach a canister before its low-memory hook has run.
    pub(super) fn must_run_hook(&self, world: &World, canister: u16) -> bool {
        let Some(state) = world.canisters.get(usize::from(canister)) else { return false };
        let system = self.system(*state);
        system.hook == Hook::Ready
            && system.status == Status::Running
            && self.guests[usize::from(canister)].runs(state.memory, Task::LowMemory)
    }

    fn after_hook(&self, world: &World, canister: u16) -> Result<(), Refusal> {
        if self.must_run_hook(world, canister) {
            let name = &self.names[usize::from(canister)];
            return Err(Refusal::Rule(format!("the low-memory hook of canister {name} runs first")));
        }
        Ok(())
    }

    /// Whether a canister would run a task now.
    pub(super) fn may_run(&self, world: &World, canister: u16, task: Task) -> Result<(), Refusal> {
        let state = world.canisters[usize::from(canister)];
        let name = &self.names[usize::from(canister)];
        if self.system(state).status != Status::Running {
            return Err(Refusal::Rule(format!("canister {name} is not running, so no timer and no heartbeat runs")));
        }
        if !self.guests[usize::from(canister)].runs(state.memory, task) {
            return Err(Refusal::Rule(format!("canister {name} does not export this entry point")));
        }
        if task == Task::LowMemory {
            return match self.must_run_hook(world, canister) {
                true => Ok(()),
                false => Err(Refusal::Rule(format!("the memory of canister {name} has not become low"))),
            };
        }
        self.after_hook(world, canister)?;
        if task == Task::Timer && !self.is_timer_due(world, canister) {
            return Err(Refusal::Rule(format!("the timer of canister {name} is not due")));
        }
        Ok(())
    }

    pub(super) fn may_start_task(&self, world: &World, tree: u32, spec: &TaskSpec) -> Result<(), Refusal> {
        let name = self.root_text(tree);
        if world.trees[tree as usize] != NOT_STARTED {
            return Err(Refusal::Rule(format!("{name} has run already")));
        }
        if self.next_task(world, spec.canister, spec.task) != Some(tree) {
            return Err(Refusal::Rule(format!("{name} comes after the ones with lower numbers")));
        }
        self.may_run(world, spec.canister, spec.task)
    }

    pub(super) fn may_deliver(&self, world: &World, tree: u32, request: &Request) -> Result<(), Refusal> {
        let name = |tree: u32, path| format!("{}{path}", self.root(tree));
        if request.queued.is_none() {
            return Err(Refusal::Rule(format!("request {} is delivered at most once", name(tree, &request.path))));
        }
        if request.path.depth() as u32 > self.plan.limits.depth {
            return Err(Refusal::Bound(format!("more than {} messages in one chain", self.plan.limits.depth)));
        }
        self.after_hook(world, request.callee)?;
        let range = world.pair((request.caller, request.callee));
        for queued in &world.queue[range] {
            if queued.tree == tree && queued.path == request.path {
                return Ok(());
            }
            let ahead = self.tree(world.trees[queued.tree as usize]);
            let ahead = &ahead.requests[ahead.request(&queued.path).expect("bug in canloom: queued, not in its tree")];
            if !ahead.is_expired() {
                return Err(Refusal::Rule(format!(
                    "requests from one canister to another start in the order in which they were sent, and {} was sent \
                     before {}",
                    name(queued.tree, &queued.path),
                    name(tree, &request.path)
                )));
            }
        }
        unreachable!("bug in canloom: request {} waits in no queue", name(tree, &request.path))
    }

    /// Whether the callee of a request can answer by itself: a canister that is not running, or has no module, cannot.
    pub(super) fn may_answer(&self, world: &World, request: &Request) -> Result<(), Refusal> {
        let callee = usize::from(request.callee);
        let Some(state) = world.canisters.get(callee).copied() else { return Ok(()) };
        if self.system(state).status == Status::Running && !self.guests[callee].is_empty(state.memory) {
            return Ok(());
        }
        let name = &self.names[callee];
        Err(Refusal::Rule(format!("canister {name} is not running or has no module, so it answers nothing of its own")))
    }

    /// Whether the callback of a request's response runs code: not if its canister was uninstalled (semantics 7.3).
    pub(super) fn callback_runs(&self, world: &World, tree: u32, request: &Request) -> Result<(), Refusal> {
        let contexts = &self.tree(world.trees[tree as usize]).contexts;
        match &request.callback {
            Some(callback) if contexts[callback.context as usize].deleted => {
                Err(Refusal::Rule("a trap of a callback whose canister was uninstalled: no code runs".to_string()))
            }
            _ => Ok(()),
        }
    }

    /// A tree's root in words.
    pub(super) fn root_text(&self, tree: u32) -> String {
        match self.task(tree) {
            None => format!("call {tree}"),
            Some(_) => self.root(tree).to_string(),
        }
    }
}

pub(super) fn may_reject(request: &Request) -> Result<(), Refusal> {
    if request.queued.is_none() {
        return Err(Refusal::Rule("a clean reject of a request that has started".to_string()));
    }
    if request.is_expired() {
        return Err(Refusal::Rule("a reject of a request that has expired".to_string()));
    }
    Ok(())
}

/// The deadline of a call that can still expire.
pub(super) fn waits_for_expiry(request: &Request) -> Result<u64, Refusal> {
    match &request.callback {
        None => Err(Refusal::Rule("SYS_UNKNOWN after the callback has run".to_string())),
        Some(callback) if callback.deadline_ns == 0 => {
            Err(Refusal::Rule("SYS_UNKNOWN on an unbounded-wait call, whose response is guaranteed".to_string()))
        }
        Some(callback) if callback.expired => Err(Refusal::Rule("a call expires once".to_string())),
        Some(callback) => Ok(callback.deadline_ns),
    }
}
