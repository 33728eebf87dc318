//! What a fault does to a request.
//!
//! In: a world and a request of it. Out: the world with an answer in flight that no canister gave. That a fault is legal, and
//! which budget pays for it, was decided before ([`super::rules`]).

use crate::schedule::StepKind;

use super::guest::Response;
use super::settle::deliver_answer;
use super::tree::{InFlight, Request};
use super::{Kernel, World};

impl Kernel {
    /// A reject before the start: the request leaves its queue, all cycles come back.
    pub(super) fn reject(&mut self, world: &mut World, at: u32, request: &Request, code: u8) {
        let mut tree = self.tree(world.trees[at as usize]).as_ref().clone();
        let position = world.position(at, &request.path).expect("bug in canloom: a queued request");
        world.queue.remove(position);
        let text = match code {
            1 => "Request could not be delivered.".to_string(),
            2 => "Request timed out.".to_string(),
            3 => "No route to canister.".to_string(),
            _ => format!("Canister {} is stopping", self.id(request.callee)),
        };
        let response = self.tables.responses.intern(Response::Reject { code, text: text.into() });
        tree.leave_queue(&request.path);
        deliver_answer(&mut tree, &request.path, InFlight { response, refund: request.cycles });
        world.trees[at as usize] = self.tables.intern_tree(tree);
    }

    /// SYS_UNKNOWN: the caller is told now; the request, if it has not started, keeps its place and may start or not.
    pub(super) fn expire(&mut self, world: &mut World, at: u32, request: &Request) {
        let mut tree = self.tree(world.trees[at as usize]).as_ref().clone();
        let text = "Call deadline has expired.".into();
        let response = self.tables.responses.intern(Response::Reject { code: 6, text });
        let place = tree.request(&request.path).expect("bug in canloom: a request of this tree");
        let callback = tree.requests[place].callback.as_mut().expect("bug in canloom: an expiring call has a caller");
        callback.response = Some(InFlight { response, refund: 0 });
        callback.expired = true;
        callback.noted = None;
        if self.plan.marks {
            tree.marks.add_unknown();
        }
        world.trees[at as usize] = self.tables.intern_tree(tree);
    }

    /// The callee answers as the scenario says and does nothing; cycles come back.
    pub(super) fn answer_by_script(
        &mut self,
        world: &mut World,
        at: u32,
        request: &Request,
        kind: StepKind,
        fault: u8,
    ) {
        let fault = &self.plan.faults[usize::from(fault)];
        let script = if kind == StepKind::Lie { &fault.lie } else { &fault.business_error };
        let reply = script.clone().expect("bug in canloom: the fault has a script");
        let response = self.tables.responses.intern(Response::Reply(reply));
        let mut tree = self.dequeue(world, at, request);
        deliver_answer(&mut tree, &request.path, InFlight { response, refund: request.cycles });
        world.trees[at as usize] = self.tables.intern_tree(tree);
    }
}
