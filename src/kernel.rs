//! Message semantics of the IC without wasm: which steps are legal in a world, and what each does to it.
//!
//! In: a [`World`] and a step. Out: the next world and what happened. Reference: interface specification, "Abstract
//! behavior"; the rules with their sources are listed in docs/semantics.md. Left out here: who chooses the next step
//! (`explore`, `counterexample`), and what an execution does inside a canister ([`Guest`]).
//!
//! ```text
//! guest    what a canister is          tree      one root and all it caused      world     everything, as a value
//! plan     what may happen             system    what the system holds           intern    values kept once
//! tables   all interned values         memo      executions run once             enabled   legal steps
//! rules    why a step is legal or not  step      what a step does                deliver   messages that are executed
//! settle   how a context is answered   fault     what a fault does to a request  change    stop, upgrade, snapshots
//! manage   the management canister     observe   queries and inspection          composite queries that call queries
//! ghost    sums of what happened       argument what a call starts with          symmetry interchangeable calls
//! turns    context switches            cuts     what narrow bounds cut off      save     tables and executions as bytes
//! message  what is executed
//! ```

pub mod guest;
pub mod intern;
pub mod plan;
pub mod save;
pub mod system;
pub mod tree;
pub mod world;

mod argument;
mod change;
mod composite;
mod cuts;
mod deliver;
mod enabled;
mod fault;
mod fingerprint;
mod ghost;
mod manage;
mod memo;
mod message;
mod observe;
mod rules;
mod settle;
mod step;
mod symmetry;
mod tables;
mod turns;

use std::collections::HashMap;
use std::sync::Arc;

use candid::Principal;

pub use argument::{Arguments, Chosen, Variant, Variants};
pub use cuts::Cuts;
pub use enabled::{Choice, Target};
pub use ghost::{Adder, GhostSpec, Moment};
pub use guest::{Cycles, Function, Guest, Input, MemoryId, Response};
pub use manage::METHODS as MANAGEMENT_METHODS;
pub use memo::Effects;
pub use message::Message;
pub use plan::{CallSpec, Change, FaultSpec, HeapSettings, Limits, OutcallSpec, Place, Plan, TaskSpec, TimeSpec};
pub use rules::Refusal;
pub use step::{Delivery, Happened};
pub use symmetry::Permutation;
pub use system::{Hook, Pending, Snapshot, Status, SystemState};
pub use tree::{CallTree, Marks};
pub use world::World;

use crate::schedule::{Root, Task};

use memo::Memo;
use tables::Tables;
use world::{CanisterState, NOT_STARTED, Turns};

/// Position of the management canister, which has no state of its own among the canisters.
pub const MANAGEMENT: u16 = u16::MAX - 1;

/// Position of a canister that does not exist.
const NOWHERE: u16 = u16::MAX;

/// Balance that a canister starts with: large enough that it never freezes (semantics 5).
pub const START_BALANCE: Cycles = 100_000_000_000_000_000_000;

/// Calls that may be outstanding from one canister to another (semantics 4.4).
pub const QUEUE_CAPACITY: u32 = 500;

/// Something the IC would do that canloom cannot tell: not a verdict about the canister.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("canister {canister}: {what}")]
pub struct Unsupported {
    /// Its id.
    pub canister: Principal,
    /// What is missing.
    pub what: String,
    /// Whether nothing is missing and the engine contradicted itself: an execution, made twice, did two things.
    pub is_contradiction: bool,
}

/// What to do about an engine that contradicts itself.
pub const CONTRADICTION: &str =
    "this is a bug of canloom or a fault of this machine: please report it, with the scenario and its modules";

/// What has been counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Deliveries (and cleanups) that a guest executed.
    pub executions: u64,
    /// Queries executed for observations.
    pub queries: u64,
    /// Of both, how many were run twice and compared.
    pub repeated: u64,
}

/// The kernel: guests, what is asked of them, and the tables in which values are kept once.
pub struct Kernel {
    names: Vec<Arc<str>>,
    ids: Vec<Principal>,
    guests: Vec<Box<dyn Guest>>,
    plan: Plan,
    /// By call; of no use where the argument is chosen at the start.
    call_messages: Vec<u32>,
    /// By call: the first one that chooses its argument from the same.
    sources: Vec<usize>,
    variants: Arc<argument::Known>,
    tasks: Vec<TaskSpec>,
    groups: Vec<Vec<usize>>,
    tables: Arc<Tables>,
    memo: Arc<Memo>,
    /// Messages and queries that this fork executed.
    executed: u64,
    /// By ghost, sum, message and response: the next sum.
    sums: HashMap<(usize, u32, u32, u32), u32>,
}

impl Kernel {
    /// A kernel over these canisters, by name and id, in this order, with nothing planned yet.
    pub fn new(canisters: Vec<(String, Principal, Box<dyn Guest>)>) -> Kernel {
        let mut kernel = Kernel {
            names: Vec::new(),
            ids: Vec::new(),
            guests: Vec::new(),
            plan: Plan::EMPTY,
            call_messages: Vec::new(),
            sources: Vec::new(),
            variants: Arc::default(),
            tasks: Vec::new(),
            groups: Vec::new(),
            tables: Arc::new(Tables::new()),
            memo: Arc::default(),
            executed: 0,
            sums: HashMap::new(),
        };
        for (name, id, guest) in canisters {
            kernel.names.push(name.into());
            kernel.ids.push(id);
            kernel.guests.push(guest);
        }
        kernel
    }

    /// The same kernel for another thread: worlds, ids and remembered executions are those of both. A later
    /// [`Kernel::plan`] of one is not the other's.
    pub fn fork(&self) -> Kernel {
        Kernel {
            names: self.names.clone(),
            ids: self.ids.clone(),
            guests: self.guests.iter().map(|guest| guest.fork()).collect(),
            plan: self.plan.clone(),
            call_messages: self.call_messages.clone(),
            sources: self.sources.clone(),
            variants: self.variants.clone(),
            tasks: self.tasks.clone(),
            groups: self.groups.clone(),
            tables: self.tables.clone(),
            memo: self.memo.clone(),
            executed: 0,
            sums: HashMap::new(),
        }
    }

    /// The same kernel, in which nothing was executed yet and each call says which functions were running: for explanations.
    pub fn traced(&self) -> Kernel {
        let mut kernel = self.fork();
        kernel.forget_executions();
        kernel.guests.iter_mut().for_each(|guest| guest.trace());
        kernel
    }

    /// Forgets what was executed, so that every message runs again: for benchmarks.
    pub fn forget_executions(&mut self) {
        self.memo = Arc::default();
    }

    /// Says what may happen. Worlds of another plan cannot be continued, their canister states can ([`Kernel::start`]).
    ///
    /// # Panics
    /// If there are more than 32 faults.
    pub fn plan(&mut self, plan: Plan) {
        assert!(plan.faults.len() <= 32, "bug in canloom: more than 32 faults");
        self.memo = Arc::default();
        self.sums.clear();
        self.call_messages = plan.calls.iter().map(|call| self.tables.intern_call(&call.method, &call.arg)).collect();
        self.sources = argument::sources(&plan);
        self.variants = Arc::default();
        self.groups = symmetry::groups(&plan.calls);
        self.tasks.clear();
        for (canister, guest) in self.guests.iter().enumerate() {
            let canister = canister as u16;
            // Memory that was low stays low but for an upgrade, so the hook runs seldom.
            let hooks = if plan.heap(canister).threshold > 0 { plan.limits.timers } else { 0 };
            let bounds = [
                (Task::LowMemory, hooks),
                (Task::Timer, plan.limits.timers),
                (Task::Heartbeat, plan.limits.heartbeats),
            ];
            for (task, most) in bounds {
                let most = if guest.may_run(task) { most } else { 0 };
                self.tasks.extend((1..=most).map(|n| TaskSpec { canister, task, n }));
            }
        }
        self.plan = plan;
        for call in 0..self.plan.calls.len() {
            // Kept now, so that tables that are read back later find the same ids given out. What is wrong with them is said
            // to whoever asks for choices.
            let _ = self.variants_after(call, Vec::new());
        }
    }

    /// Says the same within these bounds; worlds within others cannot be continued.
    pub fn within(&mut self, limits: Limits) {
        let plan = std::mem::replace(&mut self.plan, Plan::EMPTY);
        self.plan(Plan { limits, ..plan });
    }

    /// The world in which the canisters have these states and nothing of the plan has happened.
    pub fn start(&self, canisters: Vec<CanisterState>, time_ns: u64) -> World {
        World {
            canisters,
            trees: vec![NOT_STARTED; self.plan.calls.len() + self.tasks.len()],
            queue: Vec::new(),
            faults: vec![0; self.plan.faults.len()],
            times: vec![0; self.plan.times.len()],
            outcalls: vec![0; self.plan.outcalls.len()],
            ghosts: self.ghosts_at_start(),
            time_ns,
            turns: self.plan.limits.switches.map(|_| Turns::default()),
        }
    }

    /// State of a freshly installed canister whose guest is in this state, with the timer and the certified data that
    /// installation set (0: no timer).
    pub fn installed(
        &mut self,
        memory: MemoryId,
        timer_ns: u64,
        certified: &[u8],
        controllers: &[Principal],
    ) -> CanisterState {
        let certified = self.tables.blobs.intern(Arc::from(certified));
        let system = SystemState {
            balance: START_BALANCE,
            version: 0,
            timer_ns,
            certified,
            status: Status::Running,
            pending: Pending::Nothing,
            snapshot: None,
            draws: 0,
            hook: Hook::Idle,
            controllers: self.tables.controllers.intern(Arc::from(controllers)),
        };
        CanisterState { memory, system: self.tables.systems.intern(system) }
    }

    /// State of a canister that does not exist yet.
    pub fn absent(&mut self, memory: MemoryId) -> CanisterState {
        let state = self.installed(memory, 0, &[], &[]);
        let system = self.system(state).clone();
        let system = SystemState { status: Status::Absent, balance: 0, ..system };
        CanisterState { memory, system: self.tables.systems.intern(system) }
    }

    /// Tells interchangeable calls apart from now on: no canonical form. Searches find the same in more worlds.
    pub fn tell_calls_apart(&mut self) {
        self.groups.clear();
        self.plan.symmetric.clear();
    }

    /// What may happen.
    pub fn planned(&self) -> &Plan {
        &self.plan
    }

    /// Calls of the plan.
    pub fn calls(&self) -> &[CallSpec] {
        &self.plan.calls
    }

    /// Faults of the plan.
    pub fn faults(&self) -> &[FaultSpec] {
        &self.plan.faults
    }

    /// Bounds of the plan.
    pub fn limits(&self) -> Limits {
        self.plan.limits
    }

    /// Where the chain of messages of a tree begins.
    pub fn root(&self, tree: u32) -> Root {
        match self.task(tree) {
            None => Root::Call(tree),
            Some(task) => {
                Root::Task { canister: self.names[usize::from(task.canister)].clone(), task: task.task, n: task.n }
            }
        }
    }

    /// Tasks that some canister may run.
    pub fn tasks_that_may_run(&self) -> Vec<Task> {
        let may_run = |task: &Task| self.tasks.iter().any(|spec| spec.task == *task);
        [Task::Timer, Task::Heartbeat, Task::LowMemory].into_iter().filter(may_run).collect()
    }

    /// The task of a tree that is not a call's.
    pub fn task(&self, tree: u32) -> Option<&TaskSpec> {
        (tree as usize).checked_sub(self.plan.calls.len()).map(|at| &self.tasks[at])
    }

    /// Id of a canister.
    pub fn id(&self, canister: u16) -> Principal {
        if canister == MANAGEMENT { Principal::management_canister() } else { self.ids[usize::from(canister)] }
    }

    /// Name of a canister; `?` for one that there is not.
    pub fn canister_name(&self, canister: u16) -> &str {
        if canister == MANAGEMENT {
            return "management";
        }
        self.names.get(usize::from(canister)).map_or("?", |name| name)
    }

    /// How many messages and queries this fork has executed itself.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.memo.counters()
    }

    /// A tree of a world.
    pub fn tree(&self, id: u32) -> &Arc<CallTree> {
        self.tables.tree(id)
    }

    /// An interned response.
    pub fn response(&self, id: u32) -> &Response {
        self.tables.responses.value(id)
    }

    /// What the system holds for a canister in this state.
    pub fn system(&self, state: CanisterState) -> &SystemState {
        self.tables.systems.value(state.system)
    }

    /// Method and argument of an interned message that calls a method.
    pub fn call_text(&self, message: u32) -> Option<(&str, &[u8])> {
        match self.tables.messages.value(message) {
            Message::Call { method, arg } | Message::Query { method, arg } => {
                Some((self.tables.names.value(*method), self.tables.blobs.value(*arg)))
            }
            _ => None,
        }
    }

    /// Whether a tree has something left that can or must happen.
    pub fn is_busy(&self, tree: u32) -> bool {
        tree != NOT_STARTED && self.tables.tree(tree).is_busy()
    }

    /// How a call was answered: `None` if it has not started or is open.
    pub fn answer(&self, tree: u32) -> Option<u32> {
        if tree == NOT_STARTED { None } else { self.tables.tree(tree).answer }
    }

    /// Number of calls that have started.
    pub fn started(&self, world: &World) -> u32 {
        world.trees[..self.plan.calls.len()].iter().filter(|&&tree| tree != NOT_STARTED).count() as u32
    }

    /// Whether nothing must happen any more: no message is in flight, no timer is due, nobody has to be started again.
    /// Only expired requests that nobody waits for may be left.
    pub fn is_quiescent(&self, world: &World) -> bool {
        world.trees.iter().all(|&tree| !self.is_busy(tree))
            && (0..world.canisters.len()).all(|canister| {
                let canister = canister as u16;
                !self.is_timer_due(world, canister)
                    && !self.must_run_hook(world, canister)
                    && self.is_settled(world, canister)
            })
    }

    fn is_settled(&self, world: &World, canister: u16) -> bool {
        let system = self.system(world.canisters[usize::from(canister)]);
        system.status != Status::Stopping && system.pending == Pending::Nothing
    }

    fn canister(&self, id: &Principal) -> Option<u16> {
        if *id == Principal::management_canister() {
            return Some(MANAGEMENT);
        }
        self.ids.iter().position(|other| other == id).map(|at| at as u16)
    }
}
