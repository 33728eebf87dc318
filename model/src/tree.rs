//! A call with everything it has caused: its call contexts and its requests, by name.
//!
//! A name is the path that [`canloom::schedule`] defines. The tree is data; what changes it is `world`.

use std::collections::BTreeMap;

use canloom::schedule::{Path, Root, Step, StepKind};

use crate::canister::{Answer, Message};
use crate::live::Handler;

/// One call instance of an execution.
#[derive(Default)]
pub(crate) struct Tree {
    pub is_started: bool,
    /// How it was answered.
    pub answer: Option<Answer>,
    /// Call contexts whose handler has not ended, by the path of their request.
    pub contexts: BTreeMap<Path, Context>,
    /// Requests that can still have an effect, by path.
    pub requests: BTreeMap<Path, Request>,
}

/// A call context: one handler between its start and its end.
pub(crate) struct Context {
    pub canister: usize,
    pub method: String,
    pub handler: Handler,
}

/// A request that waits for its start, or whose caller waits for its callback.
pub(crate) struct Request {
    pub caller: usize,
    pub callee: usize,
    /// The call context that sent it, and the ticket under which that one waits.
    pub context: Path,
    pub ticket: u32,
    pub is_bounded: bool,
    /// What is to be delivered, until it is.
    pub queued: Option<Message>,
    /// Whether the caller's callback is still to run.
    pub is_awaited: bool,
    /// The answer, on its way to the callback.
    pub answer: Option<Answer>,
    /// Whether the caller was told SYS_UNKNOWN.
    pub is_expired: bool,
    /// Which faults may hit it, as indexes.
    pub faults: Vec<usize>,
}

/// The call that a step belongs to.
pub fn call_of(step: &Step) -> u32 {
    step.root.call().expect("bug in model: its steps belong to calls")
}

impl Tree {
    /// Whether something of the call must still happen. A request that expired and that nobody waits for need not.
    pub fn is_busy(&self) -> bool {
        !self.contexts.is_empty() || self.requests.values().any(|request| request.is_awaited)
    }

    /// The deliveries that can come next in this call, by name: requests and responses in order of their paths.
    pub fn deliveries(&self, call: u32) -> Vec<Step> {
        if !self.is_started {
            return vec![Step::new(Root::Call(call), Path::root(), StepKind::Start)];
        }
        let mut steps = Vec::new();
        for (path, request) in &self.requests {
            if request.queued.is_some() {
                steps.push(Step::new(Root::Call(call), path.clone(), StepKind::Request));
            }
            if request.is_awaited && request.answer.is_some() {
                steps.push(Step::new(Root::Call(call), path.response(), StepKind::Response));
            }
        }
        steps
    }

    /// The path of the request that a step is about.
    pub fn request_of(&self, step: &Step) -> Option<Path> {
        let is_it = |path: &&Path| match step.kind {
            StepKind::Response => path.response() == step.path,
            _ => **path == step.path,
        };
        self.requests.keys().find(is_it).cloned()
    }
}
