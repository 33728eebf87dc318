//! Which steps are legal in a world, and why another one is not.
//!
//! In: a world. Out: its [`Choice`]s, in a fixed order. The rules (semantics 3.1, 3.4, 4.2): ingress is unordered; requests
//! of one pair start in the order in which they were sent, where an expired one ahead may be passed over, which drops it;
//! responses are unordered; a clean reject can take a request that has not started, at any place of its queue; a
//! bounded-wait call can expire as long as its callback is open.

use crate::schedule::{Step, StepKind};

use super::tree::Request;
use super::world::{NOT_STARTED, World};
use super::{FaultSpec, Kernel};

/// A legal step in a given world, by position. Its name is [`Kernel::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Call instance.
    pub call: u32,
    /// Position of the request in the call's tree; 0 for a start.
    pub request: u32,
    /// What happens.
    pub kind: StepKind,
    /// Which fault of the plan pays, for faults.
    pub fault: u8,
    /// How many equal steps it stands for.
    pub multiplicity: u32,
}

/// Why a step of a schedule is not legal in a world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such message.
    #[error("no such message: {0}")]
    Missing(String),
    /// A rule of the IC forbids it.
    #[error("not legal on the IC: {0}")]
    Rule(String),
    /// A bound or budget of the scenario forbids it.
    #[error("outside the scenario's bounds: {0}")]
    Bound(String),
}

impl Kernel {
    /// All legal steps, starts first, then call by call in order of names, deliveries before faults.
    pub fn choices(&self, world: &World, out: &mut Vec<Choice>) {
        out.clear();
        for call in 0..world.calls.len() {
            if world.calls[call] == NOT_STARTED && self.may_start(world, call).is_ok() {
                let multiplicity = self.start_multiplicity(world, call);
                if multiplicity > 0 {
                    let kind = StepKind::Start;
                    out.push(Choice { call: call as u32, request: 0, kind, fault: 0, multiplicity });
                }
            }
        }
        let faults_left = world.faulted() < self.limits.faults;
        for (call, &tree) in world.calls.iter().enumerate() {
            if tree == NOT_STARTED {
                continue;
            }
            for (at, request) in self.tree(tree).requests.iter().enumerate() {
                let mut add = |kind, fault| {
                    out.push(Choice { call: call as u32, request: at as u32, kind, fault, multiplicity: 1 });
                };
                if request.queued.is_some() && self.may_deliver(world, call as u32, request).is_ok() {
                    add(StepKind::Request, 0);
                }
                if request.callback.as_ref().is_some_and(|callback| callback.response.is_some()) {
                    add(StepKind::Response, 0);
                }
                if !faults_left || request.faults == 0 {
                    continue;
                }
                if may_reject(request).is_ok() {
                    for code in 1..=3 {
                        if let Some(fault) = self.payer(world, request, |fault| fault.rejects.contains(&code)) {
                            add(StepKind::Reject(code), fault);
                        }
                    }
                }
                if may_expire(request).is_ok()
                    && let Some(fault) = self.payer(world, request, |fault| fault.unknown)
                {
                    add(StepKind::Expire, fault);
                }
            }
        }
    }

    /// Whether the depth bound keeps a message of this world from being delivered.
    pub fn is_cut(&self, world: &World) -> bool {
        world.queue.iter().any(|queued| queued.path.depth() as u32 > self.limits.depth)
    }

    /// The name of a choice.
    pub fn name(&self, world: &World, choice: &Choice) -> Step {
        let path = match choice.kind {
            StepKind::Start => crate::schedule::Path::root(),
            _ => {
                let request = &self.tree(world.calls[choice.call as usize]).requests[choice.request as usize];
                match choice.kind {
                    StepKind::Response => request.path.response(),
                    _ => request.path.clone(),
                }
            }
        };
        Step { call: choice.call, path, kind: choice.kind }
    }

    /// The choice that a name stands for.
    ///
    /// # Errors
    /// Says which rule, bound or message is in the way.
    pub fn find(&self, world: &World, step: &Step) -> Result<Choice, Refusal> {
        let call = step.call as usize;
        let Some(&tree) = world.calls.get(call) else {
            let calls = world.calls.len();
            return Err(Refusal::Missing(format!("{step} belongs to call {call}, the scenario has {calls} calls")));
        };
        let choice = Choice { call: step.call, request: 0, kind: step.kind, fault: 0, multiplicity: 1 };
        if step.kind == StepKind::Start {
            if tree != NOT_STARTED {
                return Err(Refusal::Rule(format!("call {call} has started already, a call starts once")));
            }
            self.may_start(world, call)?;
            return Ok(choice);
        }
        if tree == NOT_STARTED {
            return Err(Refusal::Rule(format!("{step} before the start of call {call}")));
        }
        // A response's path is marked in its last segment; the request it answers is found without the mark.
        let wanted = |request: &&Request| match step.kind {
            StepKind::Response => request.path.response() == step.path,
            _ => request.path == step.path,
        };
        let tree = self.tree(tree);
        let Some(request) = tree.requests.iter().find(wanted) else {
            return Err(Refusal::Missing(format!("{step} was not sent, or is finished already")));
        };
        let at = tree.request(&request.path).expect("bug in canloom: a request of this tree");
        let mut choice = Choice { request: at as u32, ..choice };
        match step.kind {
            StepKind::Start => {}
            StepKind::Request => self.may_deliver(world, step.call, request)?,
            StepKind::Response => {
                if request.callback.as_ref().is_none_or(|callback| callback.response.is_none()) {
                    return Err(Refusal::Rule(format!("response {step} before its request was answered")));
                }
            }
            StepKind::Reject(code) => {
                may_reject(request)?;
                choice.fault = self.fault_for(world, request, step, |fault| fault.rejects.contains(&code))?;
            }
            StepKind::Expire => {
                may_expire(request)?;
                choice.fault = self.fault_for(world, request, step, |fault| fault.unknown)?;
            }
        }
        Ok(choice)
    }

    fn fault_for(
        &self,
        world: &World,
        request: &Request,
        step: &Step,
        offers: impl Fn(&FaultSpec) -> bool,
    ) -> Result<u8, Refusal> {
        if world.faulted() >= self.limits.faults {
            let most = self.limits.faults;
            return Err(Refusal::Bound(format!("{step} would be one fault more than the {most} allowed")));
        }
        self.payer(world, request, offers)
            .ok_or_else(|| Refusal::Bound(format!("the scenario has no fault, or no budget left, for {step}")))
    }

    /// The first fault of the plan that matches a request's edge, offers this kind and has budget left.
    fn payer(&self, world: &World, request: &Request, offers: impl Fn(&FaultSpec) -> bool) -> Option<u8> {
        let pays = |at: &usize| {
            request.faults & (1 << at) != 0 && offers(&self.faults[*at]) && world.faults[*at] < self.faults[*at].budget
        };
        (0..self.faults.len()).find(pays).map(|at| at as u8)
    }

    fn may_start(&self, world: &World, call: usize) -> Result<(), Refusal> {
        if world.started() >= self.limits.calls {
            return Err(Refusal::Bound(format!("{} calls have started, more are not allowed", self.limits.calls)));
        }
        let open = world.calls.iter().filter(|&&tree| tree != NOT_STARTED && self.answer(tree).is_none());
        if open.count() as u32 >= self.limits.in_flight {
            return Err(Refusal::Bound(format!("{} calls are in flight, more are not allowed", self.limits.in_flight)));
        }
        match self.calls[call].after.iter().find(|&&first| self.answer(world.calls[first]).is_none()) {
            Some(first) => Err(Refusal::Bound(format!("call {call} starts after call {first}, which is not answered"))),
            None => Ok(()),
        }
    }

    fn may_deliver(&self, world: &World, call: u32, request: &Request) -> Result<(), Refusal> {
        if request.queued.is_none() {
            return Err(Refusal::Rule(format!("request {call}{} is delivered at most once", request.path)));
        }
        if request.path.depth() as u32 > self.limits.depth {
            return Err(Refusal::Bound(format!("more than {} messages in one chain", self.limits.depth)));
        }
        let range = world.pair((request.caller, request.callee));
        for queued in &world.queue[range] {
            if queued.call == call && queued.path == request.path {
                return Ok(());
            }
            let ahead = self.tree(world.calls[queued.call as usize]);
            let ahead = &ahead.requests[ahead.request(&queued.path).expect("bug in canloom: queued, not in its tree")];
            if !ahead.is_expired() {
                return Err(Refusal::Rule(format!(
                    "requests from one canister to another start in the order in which they were sent, and {}{} was \
                     sent before {call}{}",
                    queued.call, queued.path, request.path
                )));
            }
        }
        unreachable!("bug in canloom: request {call}{} waits in no queue", request.path)
    }
}

fn may_reject(request: &Request) -> Result<(), Refusal> {
    if request.queued.is_none() {
        return Err(Refusal::Rule("a clean reject of a request that has started".to_string()));
    }
    if request.is_expired() {
        return Err(Refusal::Rule("a reject of a request that has expired".to_string()));
    }
    Ok(())
}

fn may_expire(request: &Request) -> Result<(), Refusal> {
    match &request.callback {
        None => Err(Refusal::Rule("SYS_UNKNOWN after the callback has run".to_string())),
        Some(callback) if callback.deadline_ns == 0 => {
            Err(Refusal::Rule("SYS_UNKNOWN on an unbounded-wait call, whose response is guaranteed".to_string()))
        }
        Some(callback) if callback.expired => Err(Refusal::Rule("a call expires once".to_string())),
        Some(_) => Ok(()),
    }
}
