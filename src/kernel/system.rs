//! What the system holds for a canister beside its memory, and how it changes.

use serde::{Deserialize, Serialize};

use super::guest::{Cycles, MemoryId};
use super::memo::Effects;
use super::{Kernel, World};

/// Whether a canister takes messages (semantics 7.1). The numbers are those of `ic0.canister_status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Status {
    /// It does not exist: nobody has created it yet, or it was deleted.
    Absent = 0,
    /// All of them.
    #[default]
    Running = 1,
    /// Responses only, until none is left to come.
    Stopping = 2,
    /// None.
    Stopped = 3,
}

/// What must still be done to a canister by whoever administers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Pending {
    /// Nothing.
    #[default]
    Nothing,
    /// It was stopped, and is to be started again or upgraded, as this fault says.
    AfterStop(u8),
}

/// How far the low-memory hook is (semantics 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Hook {
    /// Memory is not low.
    #[default]
    Idle,
    /// Memory is low: the hook runs next.
    Ready,
    /// It has run, and memory is still low.
    Executed,
}

/// What a snapshot holds (semantics 7.4): neither call contexts nor queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Snapshot {
    /// Memory and module.
    pub memory: MemoryId,
    /// Certified data, interned.
    pub certified: u32,
}

/// What the system holds for a canister beside its memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SystemState {
    /// Cycles.
    pub balance: Cycles,
    /// `ic0.canister_version`; stays 0 where the module cannot see it.
    pub version: u64,
    /// Global timer in nanoseconds, 0 if not set.
    pub timer_ns: u64,
    /// Certified data, interned.
    pub certified: u32,
    /// Whether it takes messages.
    pub status: Status,
    /// What must still be done to it.
    pub pending: Pending,
    /// Its snapshot, which may be loaded; it need not be.
    pub snapshot: Option<Snapshot>,
    /// How often it has drawn random bytes.
    pub draws: u32,
    /// Who controls it, interned.
    pub controllers: u32,
    /// Its low-memory hook.
    pub hook: Hook,
}

impl Kernel {
    /// Applies the system's part of an execution that returned.
    pub(super) fn commit(&mut self, world: &mut World, canister: u16, effects: &Effects) {
        world.canisters[usize::from(canister)].memory = effects.memory;
        let attached: Cycles = effects.sent.iter().map(|sent| sent.cycles).sum();
        self.change_system(world, canister, |system| {
            system.balance = system.balance + effects.accepted - attached - effects.burned;
            system.timer_ns = effects.timer_ns.unwrap_or(system.timer_ns);
            system.certified = effects.certified.unwrap_or(system.certified);
        });
        self.count_version(world, canister);
        self.watch_heap(world, canister);
    }

    /// Sees whether memory has become low, or is not any more.
    pub(super) fn watch_heap(&mut self, world: &mut World, canister: u16) {
        let settings = self.plan.heap(canister);
        if settings.threshold == 0 {
            return;
        }
        let is_low = settings.is_low(self.heap_bytes(world, canister));
        self.change_system(world, canister, |system| {
            system.hook = match (is_low, system.hook) {
                (false, _) => Hook::Idle,
                (true, Hook::Idle) => Hook::Ready,
                (true, hook) => hook,
            }
        });
    }

    fn heap_bytes(&self, world: &World, canister: u16) -> u64 {
        self.guests[usize::from(canister)].heap_bytes(world.canisters[usize::from(canister)].memory)
    }

    /// The limit that the settings set and that an execution has left the heap beyond.
    pub(super) fn exceeded_heap(&self, canister: u16, effects: &Effects) -> Option<u64> {
        let (_, settings) = self.plan.heaps.iter().find(|(at, _)| *at == canister)?;
        let bytes = self.guests[usize::from(canister)].heap_bytes(effects.memory);
        (effects.trap.is_none() && bytes > settings.limit).then_some(settings.limit)
    }

    /// One more change that `ic0.canister_version` counts.
    pub(super) fn count_version(&mut self, world: &mut World, canister: u16) {
        let memory = world.canisters[usize::from(canister)].memory;
        if self.guests[usize::from(canister)].sees_version(memory) {
            self.change_system(world, canister, |system| system.version += 1);
        }
    }

    pub(super) fn change_system(&mut self, world: &mut World, canister: u16, change: impl FnOnce(&mut SystemState)) {
        let state = &mut world.canisters[usize::from(canister)];
        let old = self.tables.systems.value(state.system);
        let mut new = old.clone();
        change(&mut new);
        if new != *old {
            state.system = self.tables.systems.intern(new);
        }
    }
}
