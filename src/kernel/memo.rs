//! Executions are run once: `(canister, state, message, what it reads) -> effects`.
//!
//! In: an execution as the guest reports it. Out: its [`Effects`], with everything interned. Only what an execution read of
//! its environment is part of the key; the same state and message may therefore hold several entries.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use candid::Principal;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use xxhash_rust::xxh3::Xxh3Builder;

use super::guest::{Covered, Cycles, Env, Execution, Frame, Function, MemoryId, Read, Trap};
use super::{CONTRADICTION, Counters, Input, Kernel, Message, Place, Unsupported};

/// What an execution does to the world.
#[derive(Debug, Serialize, Deserialize)]
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
    /// Which code ran, where modules are watched; a checkpoint has none of it.
    #[serde(skip)]
    pub covered: Option<Arc<Covered>>,
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
            covered: None,
        }
    }
}

/// A call that an execution made.
#[derive(Debug, Serialize, Deserialize)]
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
    /// The functions that were running, where guests are traced; a checkpoint has none of it.
    #[serde(skip)]
    pub stack: Option<Arc<[Frame]>>,
    /// Which faults of the plan match: bit i for fault i.
    pub faults: u32,
}

/// An execution with what it read of its environment.
pub(super) struct Entry {
    pub(super) key: Key,
    /// Whether it was a query, which counts apart.
    pub(super) is_query: bool,
    pub(super) reads: Vec<Read>,
    pub(super) effects: Arc<Effects>,
}

/// Canister, state, message.
pub(super) type Key = (u16, MemoryId, u32);
type Shard = HashMap<Key, SmallVec<[u32; 2]>, Xxh3Builder>;

/// Parts of the table: two threads seldom want the same one.
const SHARDS: usize = 64;

/// The table of executions, observations included, shared by all forks of a kernel.
pub struct Memo {
    /// In order of arrival; the shards hold their numbers.
    entries: boxcar::Vec<Entry>,
    shards: [Mutex<Shard>; SHARDS],
    executions: AtomicU64,
    queries: AtomicU64,
    /// Executions that were run twice.
    repeated: AtomicU64,
}

impl Default for Memo {
    fn default() -> Memo {
        let shards = std::array::from_fn(|_| Mutex::default());
        let (executions, queries, repeated) = Default::default();
        Memo { entries: boxcar::Vec::new(), shards, executions, queries, repeated }
    }
}

impl Memo {
    /// Distinct executions so far.
    pub(super) fn counters(&self) -> Counters {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters { executions: load(&self.executions), queries: load(&self.queries), repeated: load(&self.repeated) }
    }

    /// Number of entries.
    pub(super) fn count(&self) -> u32 {
        self.entries.count() as u32
    }

    /// An entry that was kept.
    pub(super) fn entry(&self, at: u32) -> &Entry {
        &self.entries[at as usize]
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        // State and message decide; ids count up, so their sum spreads.
        let at = (key.1.0.wrapping_add(key.2)) as usize % SHARDS;
        self.shards[at].lock().expect("bug in canloom: the memo was left locked")
    }

    fn find(&self, key: &Key, env: &Env<'_>) -> Option<Arc<Effects>> {
        self.first(self.shard(key).get(key)?, |reads| reads.iter().all(|read| env.agrees(read)))
    }

    /// The effects of the first of these entries whose reads are accepted.
    fn first(&self, entries: &[u32], accepts: impl Fn(&[Read]) -> bool) -> Option<Arc<Effects>> {
        let found = entries.iter().map(|&at| self.entry(at)).find(|entry| accepts(&entry.reads));
        found.map(|entry| entry.effects.clone())
    }

    /// Keeps an execution, unless another thread has run the same one meanwhile; each counts once.
    fn keep(&self, entry: Entry, env: &Env<'_>) -> Arc<Effects> {
        let mut shard = self.shard(&entry.key);
        let entries = shard.entry(entry.key).or_default();
        if let Some(found) = self.first(entries, |reads| reads.iter().all(|read| env.agrees(read))) {
            return found;
        }
        let effects = entry.effects.clone();
        self.push(entries, entry);
        effects
    }

    fn push(&self, entries: &mut SmallVec<[u32; 2]>, entry: Entry) {
        let counter = if entry.is_query { &self.queries } else { &self.executions };
        counter.fetch_add(1, Ordering::Relaxed);
        let at = self.entries.push(entry);
        entries.push(u32::try_from(at).expect("bug in canloom: more than 2^32 executions"));
    }

    /// Keeps an execution that was kept before; `false` if it is here already.
    pub(super) fn restore(&self, entry: Entry) -> bool {
        let mut shard = self.shard(&entry.key);
        let entries = shard.entry(entry.key).or_default();
        if self.first(entries, |reads| reads == entry.reads).is_some() {
            return false;
        }
        self.push(entries, entry);
        true
    }
}

/// Executions that each thread runs twice: the first ones, then one of so many.
const SAMPLE: u64 = 64;
/// What takes longer, in instructions, is not run twice.
const REPEATED_MAX: u64 = 100_000_000;

fn is_sample(executed: u64) -> bool {
    executed < SAMPLE || executed.is_multiple_of(SAMPLE)
}

/// Everything rests on executions being functions of what they read; here one was not.
fn contradiction(canister: Principal, input: Input<'_>, what: &str) -> Unsupported {
    let message = match input {
        Input::Call { method, .. } | Input::Query { method, .. } => format!("`{method}`"),
        Input::Callback { .. } => "a callback".to_string(),
        Input::Task(task) => format!("its {}", task.title()),
        _ => "a message".to_string(),
    };
    let what = format!("executing {message} twice on one state gave two results: {what}; {CONTRADICTION}");
    Unsupported { canister, what, is_contradiction: true }
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
        // What observes is no execution of the search.
        let is_query = matches!(
            self.tables.messages.value(message),
            Message::Query { .. }
                | Message::Getter { .. }
                | Message::Inspect { .. }
                | Message::Transform { .. }
                | Message::CompositeCallback { .. }
                | Message::CompositeCleanup { .. }
        );
        let guest = &mut self.guests[usize::from(canister)];
        let refused = |what| Unsupported { canister: env.own_id, what, is_contradiction: false };
        let mut execution = guest.execute(memory, input, env).map_err(refused)?;
        if is_sample(self.executed) && execution.instructions <= REPEATED_MAX {
            let again = guest.execute(memory, input, env).map_err(refused)?;
            self.memo.repeated.fetch_add(1, Ordering::Relaxed);
            if let Some(what) = execution.difference(&again) {
                return Err(contradiction(env.own_id, input, what));
            }
        }
        self.executed += 1;
        let reads = std::mem::take(&mut execution.reads);
        let effects = Arc::new(self.intern_effects(canister, execution));
        Ok(self.memo.keep(Entry { key, is_query, reads, effects }, env))
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
                stack: outgoing.stack,
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
            covered: execution.covered,
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
