//! The whole state of a system between two steps, as plain values that are copied at every step.
//!
//! In: a scenario. Out: which steps are possible (ic-semantics.md section 3.4). What a step does is in `relation.rs`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use candid::Principal;
use canloom::scenario::{CallState, CallView, FaultKind, FaultPlace, Instance, Scenario, Value};

use super::host::State;

/// Everything that is.
#[derive(Clone)]
pub struct World {
    pub canisters: Vec<State>,
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
    /// What the setup call that runs now was answered.
    pub setup_answer: Option<Response>,
    /// How much of each fault's budget is spent.
    pub spent: Vec<u32>,
    pub deliveries: u32,
    /// The last number given to a context, a callback or a message.
    pub last_number: u32,
    /// The observations of this state.
    pub observed: Vec<Arc<Value>>,
}

/// One call with all its deliveries.
#[derive(Clone)]
pub struct Context {
    pub canister: usize,
    pub origin: Origin,
    pub caller: Principal,
    pub is_responded: bool,
    pub deadline_ns: u64,
}

/// Whom the response of a call context goes to.
#[derive(Clone, Copy)]
pub enum Origin {
    Setup,
    /// A call instance.
    Call(usize),
    /// A callback.
    Callback(u32),
}

/// Someone who waits for a response.
#[derive(Clone)]
pub struct Callback {
    pub context: u32,
    pub on_reply: (u32, u32),
    pub on_reject: (u32, u32),
    pub on_cleanup: Option<(u32, u32)>,
    /// Caller, callee and method, if the callee exists.
    pub edge: Option<(usize, usize, String)>,
    pub is_bounded: bool,
    /// Its deadline has passed; the only response it will get says so.
    pub is_expired: bool,
}

/// A request that has not started.
#[derive(Clone)]
pub struct Request {
    pub callback: u32,
    pub number: u32,
    pub method: Rc<str>,
    pub arg: Rc<Vec<u8>>,
    pub deadline_ns: u64,
}

/// A response on its way.
#[derive(Clone)]
pub struct InFlight {
    pub number: u32,
    pub response: Response,
}

/// What a call is answered.
#[derive(Clone)]
pub enum Response {
    Reply(Rc<Vec<u8>>),
    Reject { code: u32, text: String },
}

/// One thing that can happen next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A call instance starts, and its first message runs.
    Start(usize),
    /// The request at this place of a pair's queue runs; what is ahead of it is dropped.
    Request((usize, usize), usize),
    /// The response to this callback is delivered.
    Response(u32),
    /// A fault, paid by this entry: the request at this place of a pair's queue is rejected with this code.
    Reject { fault: usize, pair: (usize, usize), place: usize, code: u32 },
    /// A fault, paid by this entry: the deadline of this callback passes.
    Expire { fault: usize, callback: u32 },
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

    /// Is nothing in flight but requests that nobody waits for?
    pub fn is_quiet(&self) -> bool {
        let mut requests = self.queues.values().flatten();
        self.contexts.is_empty() && self.responses.is_empty() && requests.all(|request| self.is_expired(request))
    }

    pub fn faults(&self) -> u32 {
        self.spent.iter().sum()
    }

    pub fn started(&self) -> u32 {
        let is_started = |call: &&CallView| !matches!(call.state, CallState::NotStarted);
        self.calls.iter().filter(is_started).count() as u32
    }

    fn open(&self) -> u32 {
        let is_open = |call: &&CallView| matches!(call.state, CallState::Open);
        self.calls.iter().filter(is_open).count() as u32
    }

    /// The calls that may start.
    pub fn starts(&self, scenario: &Scenario, instances: &[Instance]) -> Vec<Step> {
        let bounds = &scenario.bounds;
        if self.started() >= bounds.calls || self.open() >= bounds.in_flight {
            return Vec::new();
        }
        (0..instances.len())
            .filter(|&call| matches!(self.calls[call].state, CallState::NotStarted))
            .filter(|&call| self.is_due(scenario, &instances[call]))
            .map(Step::Start)
            .collect()
    }

    /// Is everything answered that a call of this entry and actor comes after?
    fn is_due(&self, scenario: &Scenario, instance: &Instance) -> bool {
        let Some(earlier) = scenario.calls[instance.entry].after else {
            return true;
        };
        let of_entry = || self.calls.iter().filter(|call| call.entry == earlier);
        let is_done = |call: &CallView| matches!(call.state, CallState::Done(_));
        if of_entry().any(|call| call.actor == instance.actor) {
            let mut own = of_entry().filter(|call| call.actor == instance.actor);
            own.all(is_done)
        } else {
            of_entry().all(is_done)
        }
    }

    /// The messages that may be delivered.
    pub fn deliveries(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (&pair, queue) in &self.queues {
            for (place, request) in queue.iter().enumerate() {
                steps.push(Step::Request(pair, place));
                if !self.is_expired(request) {
                    break;
                }
            }
        }
        steps.extend(self.responses.keys().copied().map(Step::Response));
        steps
    }

    /// The faults that may happen.
    pub fn faults_possible(&self, scenario: &Scenario) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.faults() >= scenario.bounds.faults {
            return steps;
        }
        for (&pair, queue) in &self.queues {
            for (place, request) in queue.iter().enumerate() {
                if self.is_expired(request) {
                    continue;
                }
                let edge = (pair.0, pair.1, &*request.method);
                for code in 1..=5 {
                    let is_this = |kind: &FaultKind| reject_code(kind) == Some(code);
                    if let Some(fault) = self.payer(scenario, edge, is_this) {
                        steps.push(Step::Reject { fault, pair, place, code });
                    }
                }
            }
        }
        for (&callback, waiting) in &self.callbacks {
            let Some((caller, callee, method)) = &waiting.edge else {
                continue;
            };
            if !waiting.is_bounded || waiting.is_expired {
                continue;
            }
            let is_unknown = |kind: &FaultKind| matches!(kind, FaultKind::Unknown);
            if let Some(fault) = self.payer(scenario, (*caller, *callee, method), is_unknown) {
                steps.push(Step::Expire { fault, callback });
            }
        }
        steps
    }

    /// The first fault entry of this edge that has such a kind and can still pay.
    fn payer(
        &self,
        scenario: &Scenario,
        (caller, callee, method): (usize, usize, &str),
        is_this: impl Fn(&FaultKind) -> bool,
    ) -> Option<usize> {
        scenario.faults.iter().enumerate().position(|(at, fault)| {
            let FaultPlace::Edge { caller: from, callee: Some(to), method: name } = &fault.place else {
                panic!("this enumerator knows faults on edges only");
            };
            (*from, *to, name.as_str()) == (caller, callee, method)
                && fault.kinds.iter().any(&is_this)
                && self.spent[at] < fault.budget
        })
    }
}

fn reject_code(kind: &FaultKind) -> Option<u32> {
    match kind {
        FaultKind::Reject { code } => Some(u32::from(*code)),
        FaultKind::Unknown => None,
        other => panic!("this enumerator does not know {other:?}"),
    }
}
