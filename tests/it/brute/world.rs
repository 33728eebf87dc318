//! The whole state of a system between two steps, as plain values that are copied at every step.
//!
//! Which steps are possible is in `steps.rs`, what a step does in `relation.rs` and `change.rs`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use candid::Principal;
use canloom::scenario::{CallState, CallView, Captured, Value};

use super::host::State;
use super::message::{Around, Status};

/// Everything that is.
#[derive(Clone)]
pub struct World {
    pub canisters: Vec<Canister>,
    /// Open call contexts, by number.
    pub contexts: BTreeMap<u32, Context>,
    /// Open callbacks, by number.
    pub callbacks: BTreeMap<u32, Callback>,
    /// Requests that have not started, per caller and callee, in the order in which they were sent.
    pub queues: BTreeMap<(usize, usize), Vec<Request>>,
    /// The response in flight to a callback.
    pub responses: BTreeMap<u32, InFlight>,
    /// The call instances of the scenario.
    pub calls: Vec<CallView>,
    /// Which of them were accepted by inspection and have not started.
    pub submitted: Vec<bool>,
    /// What the setup call that runs now was answered.
    pub setup_answer: Option<Response>,
    /// What the setup has captured, by name.
    pub captured: Captured,
    /// How much of each fault's budget is spent.
    pub spent: Vec<u32>,
    /// How often time has passed by each entry.
    pub passed: Vec<u32>,
    pub now_ns: u64,
    /// Steps since the start.
    pub steps: u32,
    /// Tasks that have begun.
    pub tasks: u32,
    /// The chain of the last delivery.
    pub last_chain: Option<u32>,
    /// How often a chain was left that could go on.
    pub switches: u32,
    /// Length of the chain that led to the delivery that runs.
    pub reach: u32,
    /// The last number given to a context, a callback or a message.
    pub last_number: u32,
    /// What the ghosts have counted.
    pub ghosts: Vec<Value>,
    /// The observations of this state, then the ghosts.
    pub observed: Vec<Arc<Value>>,
}

/// A canister.
#[derive(Clone)]
pub struct Canister {
    /// Its module and memory, unless it was uninstalled.
    pub code: Option<State>,
    pub balance: u128,
    pub status: Status,
    pub version: u64,
    /// When the global timer is due; 0: never.
    pub timer_ns: u64,
    pub certified: Rc<Vec<u8>>,
    /// What may be loaded.
    pub snapshot: Option<(State, Rc<Vec<u8>>)>,
    /// The fault that has stopped it and will go on.
    pub stopped_by: Option<usize>,
    /// Timers and heartbeats that have run.
    pub timers: u32,
    pub heartbeats: u32,
}

impl Canister {
    /// What its code can ask about it.
    pub fn around(&self, now_ns: u64) -> Around {
        Around { now_ns, status: self.status, version: self.version, timer_ns: self.timer_ns }
    }
}

/// One call with all its deliveries.
#[derive(Clone)]
pub struct Context {
    pub canister: usize,
    /// The call, or the task, that all began with.
    pub chain: u32,
    pub origin: Origin,
    pub caller: Principal,
    pub is_responded: bool,
    /// Its canister was uninstalled: no code runs in it any more.
    pub is_deleted: bool,
    pub deadline_ns: u64,
    /// Cycles that came with the call and were not accepted.
    pub available: u128,
    /// What was called, with which argument.
    pub method: Rc<str>,
    pub arg: Rc<Vec<u8>>,
}

/// Whom the response of a call context goes to.
#[derive(Clone, Copy)]
pub enum Origin {
    Setup,
    /// A call instance.
    Call(usize),
    /// A callback.
    Callback(u32),
    /// Nobody: the system runs a task.
    Task,
}

/// Someone who waits for a response.
#[derive(Clone)]
pub struct Callback {
    pub context: u32,
    pub chain: u32,
    /// Length of the chain to its request.
    pub depth: u32,
    pub on_reply: (u32, u32),
    pub on_reject: (u32, u32),
    pub on_cleanup: Option<(u32, u32)>,
    /// Caller, callee and method, if the callee exists.
    pub edge: Option<(usize, usize, String)>,
    /// The argument of its request.
    pub arg: Rc<Vec<u8>>,
    /// Only of a bounded wait.
    pub deadline_ns: Option<u64>,
    /// Its deadline has passed; the only response it will get says so.
    pub is_expired: bool,
}

/// A request that has not started.
#[derive(Clone)]
pub struct Request {
    pub callback: u32,
    pub chain: u32,
    /// Length of the chain: 1 for a request of the first delivery.
    pub depth: u32,
    pub number: u32,
    pub method: Rc<str>,
    pub arg: Rc<Vec<u8>>,
    pub cycles: u128,
    pub deadline_ns: u64,
}

/// A response on its way.
#[derive(Clone)]
pub struct InFlight {
    pub number: u32,
    pub response: Response,
    /// Cycles that come back with it.
    pub refund: u128,
}

/// What a call is answered.
#[derive(Clone)]
pub enum Response {
    Reply(Rc<Vec<u8>>),
    Reject { code: u32, text: String },
}

impl World {
    /// A number that nothing has yet.
    pub fn number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    /// Does nobody wait for this request any more?
    pub fn is_expired(&self, request: &Request) -> bool {
        let callback = self.callbacks.get(&request.callback);
        callback.is_none_or(|callback| callback.is_expired)
    }

    pub fn faults(&self) -> u32 {
        self.spent.iter().sum()
    }

    pub fn started(&self) -> u32 {
        let is_started = |call: &&CallView| !matches!(call.state, CallState::NotStarted);
        self.calls.iter().filter(is_started).count() as u32
    }

    pub fn open(&self) -> u32 {
        let is_open = |call: &&CallView| matches!(call.state, CallState::Open);
        self.calls.iter().filter(is_open).count() as u32
    }
}
