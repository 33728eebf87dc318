//! Executions are run once: `(canister, state, message, what it reads) -> effects`.
//!
//! In: an execution as the guest reports it. Out: its [`Effects`], with everything interned. Only what an execution read of
//! its environment is part of the key; the same state and message may therefore hold several entries.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use candid::Principal;
use smallvec::SmallVec;
use xxhash_rust::xxh3::Xxh3Builder;

use super::guest::{Cycles, Env, Execution, Function, Input, MemoryId, Read, Trap};
use super::{Counters, Kernel, Place, Unsupported};

/// What an execution does to the world.
#[derive(Debug)]
pub struct Effects {
    /// State after it (before it, if it trapped).
    pub memory: MemoryId,
    /// Why it was undone.
    pub trap: Option<Trap>,
    /// Its answer, interned.
    pub response: Option<u32>,
    /// Whether its call context stays open for ever.
    pub held: bool,
    /// The calls it made, in order.
    pub sent: Vec<Sent>,
    /// For each call that it performed, even if it trapped then: which faults of the plan match, bit i for fault i.
    pub performed: Vec<u32>,
    /// Cycles it accepted.
    pub accepted: Cycles,
    /// Cycles it burned.
    pub burned: Cycles,
    /// New global timer.
    pub timer_ns: Option<u64>,
    /// New certified data, interned.
    pub certified: Option<u32>,
    /// Wasm instructions executed.
    pub instructions: u64,
    /// Lines of `debug_print`.
    pub log: Vec<String>,
}

impl Effects {
    /// What a trap does that comes without an execution.
    pub(super) fn trap(memory: MemoryId, code: u16, text: &str) -> Effects {
        Effects { trap: Some(Trap { code, text: text.to_string() }), ..Effects::none(memory) }
    }

    /// What an entry point does that is not there.
    pub(super) fn none(memory: MemoryId) -> Effects {
        Effects {
            memory,
            trap: None,
            response: None,
            held: false,
            sent: Vec::new(),
            performed: Vec::new(),
            accepted: 0,
            burned: 0,
            timer_ns: None,
            certified: None,
            instructions: 0,
            log: Vec::new(),
        }
    }
}

/// A call that an execution made.
#[derive(Debug)]
pub struct Sent {
    /// The canister, if the scenario has it.
    pub callee: Option<u16>,
    /// Its id.
    pub callee_id: Principal,
    /// Interned message.
    pub message: u32,
    /// Cycles attached.
    pub cycles: Cycles,
    /// Seconds of a bounded wait.
    pub timeout_s: Option<u32>,
    /// Called with a reply.
    pub on_reply: Function,
    /// Called with a reject.
    pub on_reject: Function,
    /// Called when the callback traps.
    pub on_cleanup: Option<Function>,
    /// Which faults of the plan match: bit i for fault i.
    pub faults: u32,
}

struct Entry {
    reads: Vec<Read>,
    effects: Arc<Effects>,
}

/// Canister, state, message.
type Key = (u16, MemoryId, u32);
type Shard = HashMap<Key, SmallVec<[Entry; 1]>, Xxh3Builder>;

/// Parts of the table: two threads seldom want the same one.
const SHARDS: usize = 64;

/// The table of executions, observations included, shared by all forks of a kernel.
pub struct Memo {
    shards: [Mutex<Shard>; SHARDS],
    executions: AtomicU64,
    queries: AtomicU64,
}

impl Default for Memo {
    fn default() -> Memo {
        let shards = std::array::from_fn(|_| Mutex::default());
        Memo { shards, executions: AtomicU64::new(0), queries: AtomicU64::new(0) }
    }
}

impl Memo {
    /// Distinct executions so far.
    pub(super) fn counters(&self) -> Counters {
        Counters { executions: self.executions.load(Ordering::Relaxed), queries: self.queries.load(Ordering::Relaxed) }
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        // State and message decide; ids count up, so their sum spreads.
        let at = (key.1.0.wrapping_add(key.2)) as usize % SHARDS;
        self.shards[at].lock().expect("bug in canloom: the memo was left locked")
    }

    fn find(&self, key: &Key, env: &Env<'_>) -> Option<Arc<Effects>> {
        lookup(self.shard(key).get(key), env)
    }

    /// Keeps an execution, unless another thread has run the same one meanwhile; each counts once.
    fn keep(&self, key: Key, entry: Entry, is_query: bool, env: &Env<'_>) -> Arc<Effects> {
        let mut shard = self.shard(&key);
        let entries = shard.entry(key).or_default();
        if let Some(found) = lookup(Some(entries), env) {
            return found;
        }
        let counter = if is_query { &self.queries } else { &self.executions };
        counter.fetch_add(1, Ordering::Relaxed);
        let effects = entry.effects.clone();
        entries.push(entry);
        effects
    }
}

impl Kernel {
    /// Executes a message, or looks up what it did when it ran before and saw the same.
    pub(super) fn execute(
        &mut self,
        canister: u16,
        memory: MemoryId,
        message: u32,
        env: &Env<'_>,
    ) -> Result<Arc<Effects>, Unsupported> {
        let key = (canister, memory, message);
        if let Some(found) = self.memo.find(&key, env) {
            return Ok(found);
        }
        let input = self.tables.input(message);
        let is_query = matches!(
            input,
            Input::Query { .. }
                | Input::Inspect { .. }
                | Input::Transform { .. }
                | Input::CompositeCallback { .. }
                | Input::CompositeCleanup { .. }
        );
        let guest = &mut self.guests[usize::from(canister)];
        let mut execution =
            guest.execute(memory, input, env).map_err(|what| Unsupported { canister: env.own_id, what })?;
        let reads = std::mem::take(&mut execution.reads);
        let effects = Arc::new(self.intern_effects(canister, execution));
        Ok(self.memo.keep(key, Entry { reads, effects }, is_query, env))
    }

    fn intern_effects(&self, canister: u16, execution: Execution) -> Effects {
        let mut sent = Vec::with_capacity(execution.requests.len());
        let mut performed = Vec::with_capacity(execution.requests.len());
        for outgoing in execution.requests {
            let callee = self.canister(&outgoing.callee);
            let faults = self.matching_faults(canister, callee, &outgoing.method);
            performed.push(faults);
            if execution.trap.is_some() {
                continue;
            }
            sent.push(Sent {
                callee,
                callee_id: outgoing.callee,
                message: self.tables.intern_call(&outgoing.method, &outgoing.arg),
                cycles: outgoing.cycles,
                timeout_s: outgoing.timeout_s,
                on_reply: outgoing.on_reply,
                on_reject: outgoing.on_reject,
                on_cleanup: outgoing.on_cleanup,
                faults,
            });
        }
        Effects {
            memory: execution.memory,
            trap: execution.trap,
            response: execution.response.map(|response| self.tables.responses.intern(response)),
            held: execution.held,
            sent,
            performed,
            accepted: execution.accepted,
            burned: execution.burned,
            timer_ns: execution.timer_ns,
            certified: execution.certified.map(|data| self.tables.blobs.intern(Arc::from(data))),
            instructions: execution.instructions,
            log: execution.log,
        }
    }

    fn matching_faults(&self, caller: u16, callee: Option<u16>, method: &str) -> u32 {
        let matches = |place: &Place| match place {
            Place::Edge(from, to, name) => *from == caller && Some(*to) == callee && name == method,
            Place::Callbacks(_) | Place::Canister(_) => false,
        };
        let faults = self.plan.faults.iter().enumerate();
        faults.filter(|(_, fault)| matches(&fault.place)).map(|(at, _)| 1 << at).sum()
    }
}

fn lookup(entries: Option<&SmallVec<[Entry; 1]>>, env: &Env<'_>) -> Option<Arc<Effects>> {
    let entry = entries?.iter().find(|entry| entry.reads.iter().all(|read| env.agrees(read)))?;
    Some(entry.effects.clone())
}
