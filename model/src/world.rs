//! The system in one execution, and what a step does to it.
//!
//! A delivery is atomic: it runs one handler from one await to the next, commits what that changed and sends what it asked
//! for. The state of a canister is borrowed within a delivery only, so an await releases the canister and the callback takes
//! it again. The order of steps comes from outside; `legal` says which orders the IC has.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use candid::Principal;
use canloom::schedule::{Path, Step, StepKind};

use crate::canister::{Answer, Message};
use crate::error::ModelError;
use crate::host::CallError;
use crate::live::{Handler, Installed, Live};
use crate::loom_host::Outgoing;
use crate::mutation::Mutation;
use crate::setting::Setting;
use crate::tree::{Context, Request, Tree, call_of};

/// The system in one execution.
pub(crate) struct World {
    pub setting: Arc<Setting>,
    canisters: Vec<Box<dyn Live>>,
    pub trees: Vec<Tree>,
    /// Requests that have not started, in the order in which they were sent.
    pub queue: VecDeque<Queued>,
    /// Responses on their way, in the order of the answers.
    pub responses: Vec<Queued>,
    /// How often each fault was injected.
    pub faults: Vec<u32>,
    /// Steps made so far.
    pub steps: Vec<Step>,
}

/// A message between two canisters: whose, and the path of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    pub pair: (usize, usize),
    pub call: u32,
    pub path: Path,
}

/// What a step did, as far as other executions must do the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    pub sent: Vec<Outgoing>,
    /// The answer that the delivery gave.
    pub answer: Option<Answer>,
}

impl Hash for Effects {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.sent.hash(hasher);
        // Errors of the host cannot be hashed; their texts are as different as they are.
        let answer = self.answer.as_ref().map(|answer| answer.as_ref().map_err(CallError::to_string));
        answer.hash(hasher);
    }
}

impl fmt::Display for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for request in &self.sent {
            write!(f, "sends {} ({} bytes), ", request.method, request.arg.len())?;
        }
        match &self.answer {
            Some(Ok(bytes)) => write!(f, "replies {} bytes", bytes.len()),
            Some(Err(error)) => write!(f, "answers: {error}"),
            None => f.write_str("no answer"),
        }
    }
}

impl World {
    /// All canisters in their first states, no call started.
    pub fn boot(setting: &Arc<Setting>) -> World {
        World {
            canisters: setting.canisters.iter().map(|canister| canister.boot()).collect(),
            trees: setting.calls.iter().map(|_| Tree::default()).collect(),
            queue: VecDeque::new(),
            responses: Vec::new(),
            faults: vec![0; setting.faults.len()],
            steps: Vec::new(),
            setting: setting.clone(),
        }
    }

    /// The canisters as they are now.
    pub fn install(&self) -> Vec<Box<dyn Installed>> {
        self.canisters.iter().map(|canister| canister.install()).collect()
    }

    /// How a call was answered.
    pub fn answer(&self, call: usize) -> Option<&Answer> {
        self.trees[call].answer.as_ref()
    }

    /// Whether nothing is in flight.
    pub fn is_quiet(&self) -> bool {
        !self.trees.iter().any(Tree::is_busy)
    }

    /// Faults injected so far.
    pub fn faulted(&self) -> u32 {
        self.faults.iter().sum()
    }

    /// What the observations of the scenario answer now, as bytes.
    pub fn observe(&self) -> Vec<Result<Vec<u8>, String>> {
        let observations = self.setting.scenario.observations.iter();
        let read = observations.map(|observation| {
            let (method, arg) = (observation.method.clone(), observation.args.clone());
            self.canisters[observation.canister].query(Message { caller: Principal::anonymous(), method, arg })
        });
        read.collect()
    }

    /// Makes a step that [`World::steps_of`] has named and that is legal.
    pub fn apply(&mut self, step: &Step) -> Result<Effects, ModelError> {
        let call = call_of(step) as usize;
        let path = self.trees[call].request_of(step);
        let path = || path.clone().expect("bug in model: the step is about a request of this tree");
        let effects = match step.kind {
            StepKind::Start => {
                let spec = &self.setting.calls[call];
                let (canister, message) = (spec.canister, spec.message.clone());
                self.trees[call].is_started = true;
                self.begin(step, canister, message)
            }
            StepKind::Request => self.deliver_request(step, &path()),
            StepKind::Response => self.deliver_response(step, &path()),
            StepKind::Reject(code) => {
                let path = path();
                self.leave_queue(call, &path);
                self.spend(call, &path, step.kind);
                self.answer_request(call, &path, Err(CallError::Rejected(code.into())));
                Ok(Effects::default())
            }
            StepKind::Expire => {
                let path = path();
                self.spend(call, &path, step.kind);
                self.answer_request(call, &path, Err(CallError::SYS_UNKNOWN));
                self.request(call, &path).is_expired = true;
                Ok(Effects::default())
            }
            kind => unreachable!("bug in model: it makes no steps such as {kind:?}"),
        }?;
        self.steps.push(step.clone());
        Ok(effects)
    }

    fn request(&mut self, call: usize, path: &Path) -> &mut Request {
        self.trees[call].requests.get_mut(path).expect("bug in model: there is such a request")
    }

    fn deliver_request(&mut self, step: &Step, path: &Path) -> Result<Effects, ModelError> {
        let call = call_of(step) as usize;
        let request = self.request(call, path);
        let (pair, is_awaited) = ((request.caller, request.callee), request.is_awaited);
        let message = request.queued.clone().expect("bug in model: a request is delivered once");
        // Expired requests that were sent before this one of its pair are dropped at the latest now.
        while let Some(first) = self.queue.iter().find(|queued| queued.pair == pair).cloned() {
            if self.setting.mutation == Some(Mutation::RequestsInAnyOrder) {
                break;
            }
            if (first.call, &first.path) == (call_of(step), path) {
                break;
            }
            self.leave_queue(first.call as usize, &first.path);
        }
        self.leave_queue(call, path);
        debug_assert_eq!(self.trees[call].requests.contains_key(path), is_awaited);
        self.begin(step, pair.1, message)
    }

    /// Takes a request out of its queue, and forgets it if nobody waits for its answer.
    fn leave_queue(&mut self, call: usize, path: &Path) {
        self.queue.retain(|queued| (queued.call as usize, &queued.path) != (call, path));
        let request = self.request(call, path);
        request.queued = None;
        if !request.is_awaited {
            self.trees[call].requests.remove(path);
        }
    }

    fn deliver_response(&mut self, step: &Step, path: &Path) -> Result<Effects, ModelError> {
        let call = call_of(step) as usize;
        if self.setting.mutation == Some(Mutation::ResponsesInOneQueue) {
            self.mix_up(call, path);
        }
        self.responses.retain(|response| (response.call as usize, &response.path) != (call, path));
        let request = self.request(call, path);
        let answer = request.answer.take().expect("bug in model: a response is delivered once");
        request.is_awaited = false;
        let (context, ticket) = (request.context.clone(), request.ticket);
        if request.queued.is_none() {
            self.trees[call].requests.remove(path);
        }
        // A handler that has ended does not look at answers any more; the callback runs and does nothing.
        let Some(context_of) = self.trees[call].contexts.get_mut(&context) else { return Ok(Effects::default()) };
        context_of.handler.mailbox.borrow_mut().answers.insert(ticket, answer);
        self.resume(step, &context)
    }

    /// Opens a call context for a message and runs it to its first await.
    fn begin(&mut self, step: &Step, canister: usize, message: Message) -> Result<Effects, ModelError> {
        let method = message.method.clone();
        let handler = self.canisters[canister].begin(message);
        let context = Context { canister, method, handler };
        self.trees[call_of(step) as usize].contexts.insert(step.path.clone(), context);
        self.resume(step, &step.path.clone())
    }

    /// Runs the handler of a context to its end or next await, and sends what it asked for.
    fn resume(&mut self, step: &Step, path: &Path) -> Result<Effects, ModelError> {
        let call = call_of(step) as usize;
        let mut context = self.trees[call].contexts.remove(path).expect("bug in model: the context is open");
        let answer = poll(&mut context.handler).map_err(|text| ModelError::Panicked {
            canister: self.setting.scenario.canisters[context.canister].name.clone(),
            method: context.method.clone(),
            step: step.to_string(),
            after: self.steps.iter().map(Step::to_string).collect(),
            text,
        })?;
        let sent = std::mem::take(&mut context.handler.mailbox.borrow_mut().outbox);
        for (at, outgoing) in sent.iter().enumerate() {
            self.send(step, at as u32 + 1, path, context.canister, outgoing);
        }
        match &answer {
            Some(answer) if path.depth() == 0 => self.trees[call].answer = Some(answer.clone()),
            Some(answer) => self.answer_request(call, path, answer.clone()),
            None => {
                let waits = |request: &Request| request.is_awaited && request.context == *path;
                if !self.trees[call].requests.values().any(waits) {
                    let canister = self.setting.scenario.canisters[context.canister].name.clone();
                    return Err(ModelError::Stuck { canister, method: context.method, step: step.to_string() });
                }
                self.trees[call].contexts.insert(path.clone(), context);
            }
        }
        Ok(Effects { sent, answer })
    }

    fn send(&mut self, step: &Step, number: u32, context: &Path, caller: usize, outgoing: &Outgoing) {
        let path = step.path.request(number);
        let callee = self.setting.canister(outgoing.callee);
        let is_hit = |fault: &crate::setting::Fault| {
            fault.caller == caller && Some(fault.callee) == callee && fault.method == outgoing.method
        };
        let faults = (0..self.setting.faults.len()).filter(|at| is_hit(&self.setting.faults[*at])).collect();
        let (method, arg) = (outgoing.method.clone(), outgoing.arg.clone());
        let message = Message { caller: self.setting.scenario.canisters[caller].id, method, arg };
        let request = Request {
            caller,
            callee: callee.unwrap_or(usize::MAX),
            context: context.clone(),
            ticket: outgoing.ticket,
            is_bounded: outgoing.is_bounded,
            queued: callee.map(|_| message),
            is_awaited: true,
            answer: callee.is_none().then_some(Err(CallError::DESTINATION_INVALID)),
            is_expired: false,
            faults,
        };
        if let Some(callee) = callee {
            self.queue.push_back(Queued { pair: (caller, callee), call: call_of(step), path: path.clone() });
        }
        self.trees[call_of(step) as usize].requests.insert(path, request);
    }

    /// Sends an answer to the caller of a request, unless it expired: then nobody receives it.
    fn answer_request(&mut self, call: usize, path: &Path, answer: Answer) {
        let Some(request) = self.trees[call].requests.get_mut(path) else { return };
        if request.is_awaited && !request.is_expired {
            request.answer = Some(answer);
            let pair = (request.caller, request.callee);
            let response = Queued { pair, call: call as u32, path: path.clone() };
            if !self.responses.contains(&response) {
                self.responses.push(response);
            }
        }
    }

    /// A mistake ([`Mutation::ResponsesInOneQueue`]): the oldest response of the pair takes the place of this one.
    fn mix_up(&mut self, call: usize, path: &Path) {
        let request = self.request(call, path);
        let (pair, own) = ((request.caller, request.callee), request.answer.take());
        let oldest = self.responses.iter().find(|response| response.pair == pair).cloned();
        let oldest = oldest.expect("bug in model: this response is on its way");
        let other = std::mem::replace(&mut self.request(oldest.call as usize, &oldest.path).answer, own.clone());
        self.request(call, path).answer = other.or(own);
    }
}

/// Runs a handler; a panic is its text.
fn poll(handler: &mut Handler) -> Result<Option<Answer>, String> {
    catch_unwind(AssertUnwindSafe(|| handler.poll())).map_err(|panic| text_of(panic.as_ref()))
}

/// What a panic said.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without text".to_string())
}
