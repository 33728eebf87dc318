//! Which steps an execution may make: the rules of the IC, stated a second time.
//!
//! | step | rule |
//! |---|---|
//! | start | the calls before it are answered, and not too many are open |
//! | request | requests of one pair of canisters start in the order of sending; an expired one may be passed over, and is dropped then |
//! | response | in any order, once the request is answered |
//! | clean reject | of a request that has not started and not expired, at any place of its queue |
//! | SYS_UNKNOWN | of a bounded-wait call, once, as long as its callback has not run; the request keeps its place and may start later or never |
//!
//! [`World::steps_of`] names what a call can do as far as the call itself is concerned; [`World::is_legal`] adds what depends
//! on other calls. The two are apart because plans choose among the first, and loom's order decides the second.

use canloom::schedule::{Path, Root, Step, StepKind};

use crate::mutation::Mutation;
use crate::tree::{Request, Tree, call_of};
use crate::world::World;

impl World {
    /// Steps of one call, by name: deliveries in order of their paths, then faults that the bounds leave.
    pub fn steps_of(&self, call: usize) -> Vec<Step> {
        let tree = &self.trees[call];
        let mut steps = tree.deliveries(call as u32);
        if self.faulted() < self.setting.scenario.bounds.faults {
            for (path, request) in &tree.requests {
                let kinds = self.faults_of(request);
                steps.extend(kinds.into_iter().map(|kind| Step::new(Root::Call(call as u32), path.clone(), kind)));
            }
        }
        steps
    }

    fn faults_of(&self, request: &Request) -> Vec<StepKind> {
        let mut kinds = Vec::new();
        if request.queued.is_some() && !request.is_expired {
            kinds.extend([1, 2, 3].map(StepKind::Reject));
        }
        if request.is_bounded && request.is_awaited && !request.is_expired {
            kinds.push(StepKind::Expire);
        }
        kinds.retain(|kind| self.payer(request, *kind).is_some());
        kinds
    }

    /// The first fault of the scenario that allows this kind for this request and has budget left.
    fn payer(&self, request: &Request, kind: StepKind) -> Option<usize> {
        let pays = |at: &&usize| {
            let fault = &self.setting.faults[**at];
            let is_offered = match kind {
                StepKind::Reject(code) => fault.rejects.contains(&code),
                _ => fault.is_unknown,
            };
            is_offered && self.faults[**at] < fault.budget
        };
        request.faults.iter().find(pays).copied()
    }

    /// Charges a fault to the budget that pays for it.
    pub fn spend(&mut self, call: usize, path: &Path, kind: StepKind) {
        let payer = self.payer(&self.trees[call].requests[path], kind);
        self.faults[payer.expect("bug in model: only faults with a budget are steps")] += 1;
    }

    /// Whether a step of [`World::steps_of`] is legal beside the other calls.
    pub fn is_legal(&self, step: &Step) -> bool {
        match step.kind {
            StepKind::Start => self.may_start(call_of(step) as usize),
            StepKind::Request => self.may_deliver(step),
            StepKind::Response => {
                self.setting.mutation != Some(Mutation::ResponsesInOrder) || self.is_oldest_response(step)
            }
            StepKind::Reject(_) | StepKind::Expire => true,
            kind => unreachable!("bug in model: it makes no steps such as {kind:?}"),
        }
    }

    fn may_start(&self, call: usize) -> bool {
        let is_open = |tree: &&Tree| tree.is_started && tree.answer.is_none();
        let open = self.trees.iter().filter(is_open).count() as u32;
        let calls = &self.setting.calls[call].after;
        open < self.setting.scenario.bounds.in_flight && calls.iter().all(|before| self.answer(*before).is_some())
    }

    fn may_deliver(&self, step: &Step) -> bool {
        if self.setting.mutation == Some(Mutation::RequestsInAnyOrder) {
            return true;
        }
        let request = &self.trees[call_of(step) as usize].requests[&step.path];
        let of_pair = self.queue.iter().filter(|queued| queued.pair == (request.caller, request.callee));
        let mut ahead = of_pair.take_while(|queued| (queued.call, &queued.path) != (call_of(step), &step.path));
        ahead.all(|queued| self.trees[queued.call as usize].requests[&queued.path].is_expired)
    }

    fn is_oldest_response(&self, step: &Step) -> bool {
        let path = self.trees[call_of(step) as usize].request_of(step);
        let own = self
            .responses
            .iter()
            .position(|response| response.call == call_of(step) && Some(&response.path) == path.as_ref());
        own.is_none_or(|own| !self.responses[..own].iter().any(|older| older.pair == self.responses[own].pair))
    }
}
