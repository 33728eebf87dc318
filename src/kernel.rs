//! Message semantics of the IC without wasm: which steps are legal in a world, and what each does to it.
//!
//! In: a [`World`] and a step. Out: the next world and what happened. Reference: interface specification, "Abstract
//! behavior"; the rules with their sources are listed in docs/semantics.md. Left out here: who chooses the next step
//! (`explore`, `counterexample`), and what an execution does inside a canister ([`Guest`]).
//!
//! ```text
//! guest    what a canister is          tree     one call and all it caused      world    everything, as a value
//! intern   values kept once            memo     executions run once             enabled  legal steps
//! deliver  a step's effect             settle   how a call context is answered  symmetry interchangeable calls
//! tables   all interned values
//! ```

pub mod guest;
pub mod intern;
pub mod tree;
pub mod world;

mod deliver;
mod enabled;
mod fingerprint;
mod memo;
mod settle;
mod symmetry;
mod tables;

use std::sync::Arc;

use candid::Principal;

pub use deliver::Delivery;
pub use enabled::{Choice, Refusal};
pub use guest::{Cycles, Function, Guest, Input, MemoryId, Response};
pub use memo::Effects;
pub use symmetry::Permutation;
pub use tree::CallTree;
pub use world::World;

use memo::Memo;
use tables::Tables;
use world::{CanisterState, NOT_STARTED};

/// Balance that a canister starts with: large enough that it never freezes (semantics 5).
pub const START_BALANCE: Cycles = 100_000_000_000_000_000_000;

/// Calls that may be outstanding from one canister to another (semantics 4.4).
pub const QUEUE_CAPACITY: u32 = 500;

/// A message to execute, interned. Parts are ids so that building one costs no copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A call of a method.
    Call {
        /// Interned name.
        method: u32,
        /// Interned argument.
        arg: u32,
    },
    /// A non-replicated query: an observation.
    Query {
        /// Interned name.
        method: u32,
        /// Interned argument.
        arg: u32,
    },
    /// A response, with the function it runs.
    Callback {
        /// Reply or reject function.
        function: Function,
        /// Interned response.
        response: u32,
    },
    /// The cleanup function of a call whose callback trapped.
    Cleanup {
        /// The function.
        function: Function,
        /// Interned response that the callback was for.
        response: u32,
    },
}

/// What the system holds for a canister beside its memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SystemState {
    /// Cycles.
    pub balance: Cycles,
    /// `ic0.canister_version`; stays 0 where the module cannot see it.
    pub version: u64,
    /// Global timer in nanoseconds, 0 if not set.
    pub timer_ns: u64,
    /// Certified data, interned.
    pub certified: u32,
}

/// A call instance, as the kernel needs it.
#[derive(Clone, Debug)]
pub struct CallSpec {
    /// Which entry of the scenario it is an instance of.
    pub entry: usize,
    /// Where it goes.
    pub canister: u16,
    /// Which method.
    pub method: String,
    /// Candid argument.
    pub arg: Vec<u8>,
    /// Who calls.
    pub caller: Principal,
    /// Call instances that must be answered before.
    pub after: Vec<usize>,
}

/// A fault of the scenario.
#[derive(Clone, Debug)]
pub struct FaultSpec {
    /// The edge: sender, receiver, method.
    pub edge: (u16, u16, String),
    /// Clean reject codes it may inject.
    pub rejects: Vec<u8>,
    /// Whether bounded-wait calls may end in SYS_UNKNOWN.
    pub unknown: bool,
    /// How often.
    pub budget: u8,
}

/// Bounds of the search space; all of them are functions of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most calls started.
    pub calls: u32,
    /// Most calls open at a time.
    pub in_flight: u32,
    /// Most faults in all.
    pub faults: u32,
    /// Longest chain of messages that cause each other.
    pub depth: u32,
}

/// Something the IC would do that canloom cannot tell: not a verdict about the canister.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("canister {canister}: {what}")]
pub struct Unsupported {
    /// Its id.
    pub canister: Principal,
    /// What is missing.
    pub what: String,
}

/// What has been counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Deliveries (and cleanups) that a guest executed.
    pub executions: u64,
    /// Deliveries made, memoized ones included.
    pub deliveries: u64,
    /// Queries executed for observations.
    pub queries: u64,
}

/// The kernel: guests, what is asked of them, and the tables in which values are kept once.
pub struct Kernel {
    ids: Vec<Principal>,
    guests: Vec<Box<dyn Guest>>,
    calls: Vec<CallSpec>,
    call_messages: Vec<u32>,
    groups: Vec<Vec<usize>>,
    faults: Vec<FaultSpec>,
    limits: Limits,
    tables: Tables,
    memo: Memo,
    counters: Counters,
}

impl Kernel {
    /// A kernel over these canisters, in this order, with no call to make yet.
    pub fn new(canisters: Vec<(Principal, Box<dyn Guest>)>) -> Kernel {
        let (ids, guests) = canisters.into_iter().unzip();
        Kernel {
            ids,
            guests,
            calls: Vec::new(),
            call_messages: Vec::new(),
            groups: Vec::new(),
            faults: Vec::new(),
            limits: Limits { calls: 0, in_flight: 0, faults: 0, depth: 0 },
            tables: Tables::new(),
            memo: Memo::default(),
            counters: Counters::default(),
        }
    }

    /// Says which calls may be made, with which faults and bounds. Worlds of another plan cannot be continued, their
    /// canister states can ([`Kernel::start`]).
    ///
    /// # Panics
    /// If there are more than 32 faults.
    pub fn plan(&mut self, calls: Vec<CallSpec>, faults: Vec<FaultSpec>, limits: Limits) {
        assert!(faults.len() <= 32, "bug in canloom: more than 32 faults");
        self.memo = Memo::default();
        self.call_messages = calls.iter().map(|call| self.tables.intern_call(&call.method, &call.arg)).collect();
        self.groups = symmetry::groups(&calls);
        self.calls = calls;
        self.faults = faults;
        self.limits = limits;
    }

    /// The world in which the canisters have these states and no call of the plan has started.
    pub fn start(&self, canisters: Vec<CanisterState>, time_ns: u64) -> World {
        World {
            canisters,
            calls: vec![NOT_STARTED; self.calls.len()],
            queue: Vec::new(),
            faults: vec![0; self.faults.len()],
            time_ns,
        }
    }

    /// State of a freshly installed canister whose guest is in this state.
    pub fn installed(&mut self, memory: MemoryId) -> CanisterState {
        let certified = self.tables.blobs.intern(Arc::from([]));
        let system = SystemState { balance: START_BALANCE, version: 0, timer_ns: 0, certified };
        CanisterState { memory, system: self.tables.systems.intern(system) }
    }

    /// Calls of the plan.
    pub fn calls(&self) -> &[CallSpec] {
        &self.calls
    }

    /// Faults of the plan.
    pub fn faults(&self) -> &[FaultSpec] {
        &self.faults
    }

    /// Bounds of the plan.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Id of a canister.
    pub fn id(&self, canister: u16) -> Principal {
        self.ids[usize::from(canister)]
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The tree of a started call.
    pub fn tree(&self, id: u32) -> &Arc<CallTree> {
        self.tables.trees.value(id)
    }

    /// An interned response.
    pub fn response(&self, id: u32) -> &Response {
        self.tables.responses.value(id)
    }

    /// What the system holds for a canister in this state.
    pub fn system(&self, state: CanisterState) -> &SystemState {
        self.tables.systems.value(state.system)
    }

    /// Method and argument of an interned call message; `None` for callbacks.
    pub fn call_text(&self, message: u32) -> Option<(&str, &[u8])> {
        match self.tables.messages.value(message) {
            Message::Call { method, arg } | Message::Query { method, arg } => {
                Some((self.tables.names.value(*method), self.tables.blobs.value(*arg)))
            }
            Message::Callback { .. } | Message::Cleanup { .. } => None,
        }
    }

    /// Whether a call has something left that can or must happen.
    pub fn is_busy(&self, tree: u32) -> bool {
        tree != NOT_STARTED && self.tables.trees.value(tree).is_busy()
    }

    /// How a call was answered: `None` if it has not started or is open.
    pub fn answer(&self, tree: u32) -> Option<u32> {
        if tree == NOT_STARTED { None } else { self.tables.trees.value(tree).answer }
    }

    /// Whether nothing is in flight: only expired requests that nobody waits for may be left.
    pub fn is_quiescent(&self, world: &World) -> bool {
        world.calls.iter().all(|&tree| !self.is_busy(tree))
    }

    fn canister(&self, id: &Principal) -> Option<u16> {
        self.ids.iter().position(|other| other == id).map(|at| at as u16)
    }
}
