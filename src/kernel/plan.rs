//! What may happen in an exploration: calls, faults, time steps, scripted outcalls, and the bounds on all of it.
//!
//! In: a scenario, lowered by the engine to positions and bytes. Out: a [`Plan`], which gives each thing that can begin a
//! chain of messages its place among the world's trees.

use std::sync::Arc;

use candid::Principal;

use crate::schedule::Task;

use super::argument::Chosen;
use super::ghost::GhostSpec;

/// A call instance.
#[derive(Clone, Debug)]
pub struct CallSpec {
    /// Which entry of the scenario it is an instance of.
    pub entry: usize,
    /// Where it goes.
    pub canister: u16,
    /// Which method.
    pub method: String,
    /// Candid argument; empty if it is chosen at the start.
    pub arg: Vec<u8>,
    /// How the argument is chosen at the start, if it is.
    pub chosen: Option<Chosen>,
    /// Who calls.
    pub caller: Principal,
    /// Call instances that must be answered before.
    pub after: Vec<usize>,
}

/// Where a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Requests of this sender to this method of this receiver.
    Edge(u16, u16, String),
    /// Callbacks of this canister.
    Callbacks(u16),
    /// The canister as a whole.
    Canister(u16),
}

/// What a fault may do to a canister as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Stop, and never start again.
    Stop,
    /// Stop, and start at any time later.
    StopStart,
    /// Stop; once it has stopped, upgrade and start.
    StopUpgradeStart,
    /// Upgrade while calls are in flight.
    UpgradeNoStop,
    /// Install the module anew while calls are in flight.
    Reinstall,
    /// Remove the module.
    Uninstall,
    /// Take a snapshot, and load it at any time later.
    SnapshotLoad,
}

impl Change {
    /// The task that the fault begins with.
    pub fn first(self) -> Task {
        match self {
            Change::Stop | Change::StopStart | Change::StopUpgradeStart => Task::Stop,
            Change::UpgradeNoStop => Task::Upgrade,
            Change::Reinstall => Task::Reinstall,
            Change::Uninstall => Task::Uninstall,
            Change::SnapshotLoad => Task::Snapshot,
        }
    }
}

/// A fault of the scenario.
#[derive(Clone, Debug)]
pub struct FaultSpec {
    /// Where.
    pub place: Place,
    /// Reject codes it may inject before a request starts: 1, 2, 3, 5.
    pub rejects: Vec<u8>,
    /// Whether bounded-wait calls may end in SYS_UNKNOWN.
    pub unknown: bool,
    /// Error that the callee may answer with in place of executing the request, as Candid.
    pub business_error: Option<Arc<[u8]>>,
    /// Reply that the callee may lie with, likewise.
    pub lie: Option<Arc<[u8]>>,
    /// Whether `call_perform` may fail.
    pub perform: bool,
    /// Whether callbacks may trap.
    pub trap: bool,
    /// What may be done to the canister.
    pub changes: Vec<Change>,
    /// The module of an upgrade or a reinstallation, as the guest numbers them.
    pub module: u16,
    /// Their argument, as Candid.
    pub arg: Arc<[u8]>,
    /// How often.
    pub budget: u8,
}

impl FaultSpec {
    /// A fault that does nothing yet.
    pub fn new(place: Place, budget: u8) -> FaultSpec {
        FaultSpec {
            place,
            rejects: Vec::new(),
            unknown: false,
            business_error: None,
            lie: None,
            perform: false,
            trap: false,
            changes: Vec::new(),
            module: 0,
            arg: Arc::from([]),
            budget,
        }
    }
}

/// Time that may pass as one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpec {
    /// By how many nanoseconds.
    pub advance_ns: u64,
    /// How often.
    pub max: u8,
}

/// What an HTTP outcall to some addresses is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcallSpec {
    /// The whole address, or its beginning if it ends with `*`.
    pub url: String,
    /// Status of the responses.
    pub status: u16,
    /// Bodies, one after the other; the last one repeats.
    pub bodies: Vec<Vec<u8>>,
}

/// What a canister's settings say of its heap (interface specification, `wasm_memory_limit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapSettings {
    /// Bytes beyond which update calls trap.
    pub limit: u64,
    /// If fewer bytes than this are left below the limit, the low-memory hook runs; 0: never.
    pub threshold: u64,
}

impl HeapSettings {
    /// Those of a canister that nobody has set: 3 GiB, no hook.
    pub const DEFAULT: HeapSettings = HeapSettings { limit: 3 << 30, threshold: 0 };

    /// Whether so many bytes make the hook run.
    pub fn is_low(&self, bytes: u64) -> bool {
        self.limit.saturating_sub(bytes) < self.threshold
    }
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
    /// Most firings of each canister's timer.
    pub timers: u32,
    /// Most heartbeats of each canister.
    pub heartbeats: u32,
    /// Most time steps in all.
    pub times: u32,
    /// Most context switches; `None`: any number, and they are not counted.
    pub switches: Option<u8>,
}

impl Limits {
    /// Nothing may happen.
    pub const NONE: Limits =
        Limits { calls: 0, in_flight: 0, faults: 0, depth: 0, timers: 0, heartbeats: 0, times: 0, switches: None };
}

/// All that may happen.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Calls that may be made.
    pub calls: Vec<CallSpec>,
    /// Faults, at most 32.
    pub faults: Vec<FaultSpec>,
    /// Time steps.
    pub times: Vec<TimeSpec>,
    /// Answers of the world outside.
    pub outcalls: Vec<OutcallSpec>,
    /// Sums over the messages between canisters.
    pub ghosts: Vec<GhostSpec>,
    /// Calls of each of the callers that are interchangeable; a caller's first call starts after one of each caller before.
    pub symmetric: Vec<Vec<usize>>,
    /// Settings of the canisters that have some of their own, by position.
    pub heaps: Vec<(u16, HeapSettings)>,
    /// Seed of the bytes that canisters draw.
    pub seed: u64,
    /// Whether trees are marked with what happened in them ([`super::tree::Marks`]).
    pub marks: bool,
    /// Bounds.
    pub limits: Limits,
    /// The bounds that `limits` narrow, or the same: what they cut off is told by [`super::Kernel::cuts`].
    pub wide: Limits,
}

impl Plan {
    /// Settings of a canister's heap.
    pub fn heap(&self, canister: u16) -> HeapSettings {
        let own = self.heaps.iter().find(|(at, _)| *at == canister);
        own.map_or(HeapSettings::DEFAULT, |(_, settings)| *settings)
    }

    /// Nothing happens.
    pub const EMPTY: Plan = Plan {
        calls: Vec::new(),
        faults: Vec::new(),
        times: Vec::new(),
        outcalls: Vec::new(),
        ghosts: Vec::new(),
        symmetric: Vec::new(),
        heaps: Vec::new(),
        seed: 0,
        marks: false,
        limits: Limits::NONE,
        wide: Limits::NONE,
    };
}

/// A task that has a tree of its own: the `n`-th of its kind, from 1, of a canister.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// Which canister runs it.
    pub canister: u16,
    /// Timer, heartbeat or low-memory hook.
    pub task: Task,
    /// Which of them.
    pub n: u32,
}
