//! What a step does to a world.
//!
//! In: a world and one of its choices. Out: the next world (not yet in canonical form) and, for deliveries, what happened.
//! A delivery is atomic: it executes one message, commits or undoes it as a whole, sends its requests in `call_perform`
//! order and settles its call context (semantics 2.2, 2.3).

use std::sync::Arc;

use candid::Principal;

use crate::schedule::{Path, StepKind};

use super::guest::{Cycles, Env, Function, Response};
use super::memo::{Effects, Sent};
use super::tree::{CallTree, Callback, Context, InFlight, Request};
use super::world::{NOT_STARTED, Queued, World};
use super::{Choice, Kernel, Message, SystemState, Unsupported};

/// What one delivery did: for traces and reports.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Where.
    pub canister: u16,
    /// The message that was executed.
    pub message: u32,
    /// Its effects.
    pub effects: Arc<Effects>,
    /// The cleanup that ran because the callback trapped.
    pub cleanup: Option<Arc<Effects>>,
    /// How the call context was answered by this delivery: which context, with which response.
    pub answered: Option<(Path, u32)>,
    /// Whether the call context still waits for responses: this is an await point.
    pub awaits: bool,
    /// Whether a response was given that nobody receives: the call expired before.
    pub dropped: bool,
}

/// One delivery being made.
struct Run {
    call: u32,
    tree: CallTree,
    /// Position of the call context.
    context: usize,
    /// Name of the delivery: its requests are numbered below it.
    path: Path,
    message: u32,
    refunded: Cycles,
    /// What to run if the callback traps, and the response it was for.
    on_cleanup: Option<(Function, u32)>,
}

impl Kernel {
    /// Makes a step.
    ///
    /// # Errors
    /// If a guest cannot tell what the IC would do.
    pub fn apply(&mut self, world: &World, choice: &Choice) -> Result<(World, Option<Delivery>), Unsupported> {
        let mut next = world.clone();
        let delivery = match choice.kind {
            StepKind::Start => Some(self.deliver_ingress(&mut next, choice)?),
            StepKind::Request => Some(self.deliver_request(&mut next, choice)?),
            StepKind::Response => Some(self.deliver_response(&mut next, choice)?),
            StepKind::Reject(code) => {
                self.reject(&mut next, choice, code);
                None
            }
            StepKind::Expire => {
                self.expire(&mut next, choice);
                None
            }
        };
        Ok((next, delivery))
    }

    /// Interns a query, for [`Kernel::observe`].
    pub fn query(&mut self, method: &str, arg: &[u8]) -> u32 {
        self.tables.intern_query(method, arg)
    }

    /// What a query answers in one canister state, as an interned response.
    ///
    /// # Errors
    /// If the guest cannot tell what the IC would do.
    pub fn observe(&mut self, world: &World, canister: u16, query: u32) -> Result<u32, Unsupported> {
        let state = world.canisters[usize::from(canister)];
        let system = self.tables.systems.value(state.system);
        let env = Env {
            balance: system.balance,
            version: system.version,
            timer_ns: system.timer_ns,
            ..Env::outside(self.ids[usize::from(canister)], Principal::anonymous(), world.time_ns)
        };
        let effects = self.execute(canister, state.memory, query, &env)?;
        let text = match (&effects.trap, effects.response) {
            (None, Some(response)) => return Ok(response),
            (Some(trap), _) => self.trap_text(canister, trap),
            (None, None) => format!("IC0506: Canister {} did not reply to the call", self.id(canister)),
        };
        Ok(self.tables.responses.intern(Response::Reject { code: 5, text: text.into() }))
    }

    fn deliver_ingress(&mut self, world: &mut World, choice: &Choice) -> Result<Delivery, Unsupported> {
        let spec = &self.calls[choice.call as usize];
        let (canister, caller) = (spec.canister, spec.caller);
        let caller = self.tables.principals.intern(caller);
        let mut tree = CallTree::default();
        let context = tree.open_context(Context {
            path: Path::root(),
            canister,
            caller,
            answered: false,
            held: false,
            available: 0,
            deadline_ns: 0,
            instructions: 0,
        });
        let message = self.call_messages[choice.call as usize];
        let run = Run { call: choice.call, tree, context, path: Path::root(), message, refunded: 0, on_cleanup: None };
        self.run(world, run)
    }

    fn deliver_request(&mut self, world: &mut World, choice: &Choice) -> Result<Delivery, Unsupported> {
        let (_, request) = self.open(world, choice);
        self.drop_expired_ahead(world, choice.call, &request);
        // Dropping may have changed this very tree.
        let mut tree = self.tree(world.calls[choice.call as usize]).as_ref().clone();
        let at = tree.request(&request.path).expect("bug in canloom: the request is being delivered");
        let position = world.position(choice.call, &request.path).expect("bug in canloom: a queued request");
        world.queue.remove(position);
        let caller = self.tables.principals.intern(self.ids[usize::from(request.caller)]);
        let message = request.queued.expect("bug in canloom: a queued request has a message");
        let deadline_ns = request.callback.as_ref().map_or(0, |callback| callback.deadline_ns);
        if request.callback.is_none() {
            tree.requests.remove(at);
        } else {
            tree.requests[at].queued = None;
            tree.requests[at].cycles = 0;
        }
        let context = tree.open_context(Context {
            path: request.path.clone(),
            canister: request.callee,
            caller,
            answered: false,
            held: false,
            available: request.cycles,
            deadline_ns,
            instructions: 0,
        });
        let path = request.path.clone();
        let run = Run { call: choice.call, tree, context, path, message, refunded: 0, on_cleanup: None };
        self.run(world, run)
    }

    fn deliver_response(&mut self, world: &mut World, choice: &Choice) -> Result<Delivery, Unsupported> {
        let (tree, request) = self.open(world, choice);
        let mut tree = self.tree(tree).as_ref().clone();
        let at = choice.request as usize;
        let callback = request.callback.clone().expect("bug in canloom: a response needs a callback");
        let in_flight = callback.response.expect("bug in canloom: a response in flight");
        if request.queued.is_some() {
            tree.requests[at].callback = None;
        } else {
            tree.requests.remove(at);
        }
        let function = match self.response(in_flight.response) {
            Response::Reply(_) => callback.on_reply,
            Response::Reject { .. } => callback.on_reject,
        };
        let message = self.tables.messages.intern(Message::Callback { function, response: in_flight.response });
        // The refund is credited before the callback and stays even if it traps (semantics 2.3).
        let refunded = in_flight.refund.min(callback.sent);
        let context = callback.context as usize;
        let canister = tree.contexts[context].canister;
        self.change_system(world, canister, |system| system.balance += refunded);
        let run = Run {
            call: choice.call,
            tree,
            context,
            path: request.path.response(),
            message,
            refunded,
            on_cleanup: callback.on_cleanup.map(|function| (function, in_flight.response)),
        };
        self.run(world, run)
    }

    /// A clean reject before the start: the request leaves its queue, all cycles come back.
    fn reject(&mut self, world: &mut World, choice: &Choice, code: u8) {
        let (tree, request) = self.open(world, choice);
        let mut tree = self.tree(tree).as_ref().clone();
        let position = world.position(choice.call, &request.path).expect("bug in canloom: a queued request");
        world.queue.remove(position);
        let text = match code {
            1 => "Request could not be delivered.",
            2 => "Request timed out.",
            _ => "No route to canister.",
        };
        let response = self.tables.responses.intern(Response::Reject { code, text: text.into() });
        let at = choice.request as usize;
        let refund = request.cycles;
        tree.requests[at].queued = None;
        tree.requests[at].cycles = 0;
        let callback = tree.requests[at].callback.as_mut().expect("bug in canloom: a rejected request has a caller");
        callback.response = Some(InFlight { response, refund });
        self.close(world, choice, tree);
    }

    /// SYS_UNKNOWN: the caller is told now; the request, if it has not started, keeps its place and may start or not.
    fn expire(&mut self, world: &mut World, choice: &Choice) {
        let (tree, _) = self.open(world, choice);
        let mut tree = self.tree(tree).as_ref().clone();
        let text = "Call deadline has expired.".into();
        let response = self.tables.responses.intern(Response::Reject { code: 6, text });
        let at = choice.request as usize;
        let callback = tree.requests[at].callback.as_mut().expect("bug in canloom: an expiring call has a caller");
        callback.response = Some(InFlight { response, refund: 0 });
        callback.expired = true;
        self.close(world, choice, tree);
    }

    fn open(&self, world: &World, choice: &Choice) -> (u32, Request) {
        let tree = world.calls[choice.call as usize];
        (tree, self.tree(tree).requests[choice.request as usize].clone())
    }

    fn close(&mut self, world: &mut World, choice: &Choice, tree: CallTree) {
        world.faults[usize::from(choice.fault)] += 1;
        world.calls[choice.call as usize] = self.tables.trees.intern(Arc::new(tree));
    }

    /// An expired request is dropped at the latest when a later one of its pair starts.
    fn drop_expired_ahead(&mut self, world: &mut World, call: u32, request: &Request) {
        let first = world.pair((request.caller, request.callee)).start;
        while world.queue[first].call != call || world.queue[first].path != request.path {
            let dropped = world.queue.remove(first);
            let tree = world.calls[dropped.call as usize];
            let mut tree = self.tree(tree).as_ref().clone();
            let at = tree.request(&dropped.path).expect("bug in canloom: queued, not in its tree");
            if tree.requests[at].callback.is_none() {
                tree.requests.remove(at);
            } else {
                tree.requests[at].queued = None;
                tree.requests[at].cycles = 0;
            }
            world.calls[dropped.call as usize] = self.tables.trees.intern(Arc::new(tree));
        }
    }

    /// Executes the message of a delivery, commits what it did and settles its call context.
    fn run(&mut self, world: &mut World, mut run: Run) -> Result<Delivery, Unsupported> {
        let context = run.tree.contexts[run.context].clone();
        let canister = context.canister;
        let memory = world.canisters[usize::from(canister)].memory;
        let effects = {
            let (world, run) = (&*world, &run);
            self.execute_in(world, run, &context, run.message)?
        };
        let mut cleanup = None;
        if effects.trap.is_some()
            && let Some((function, response)) = run.on_cleanup
        {
            let message = self.tables.messages.intern(Message::Cleanup { function, response });
            cleanup = Some(self.execute_in(world, &run, &context, message)?);
        }
        let committed = match &cleanup {
            Some(cleanup) if cleanup.trap.is_none() => Some(cleanup),
            _ => effects.trap.is_none().then_some(&effects),
        };
        if let Some(effects) = committed {
            self.commit(world, canister, effects);
        } else {
            debug_assert_eq!(memory, world.canisters[usize::from(canister)].memory);
        }
        if self.guests[usize::from(canister)].sees_instructions() {
            let more = effects.instructions + cleanup.as_ref().map_or(0, |cleanup| cleanup.instructions);
            run.tree.contexts[run.context].instructions += more;
        }
        if effects.trap.is_none() {
            run.tree.contexts[run.context].available -= effects.accepted;
            for (at, sent) in effects.sent.iter().enumerate() {
                self.send(world, &mut run.tree, run.call, run.context, run.path.request(at as u32 + 1), sent);
            }
        }
        let settled = self.settle(&mut run.tree, run.context, &effects, cleanup.as_deref());
        world.calls[run.call as usize] = self.tables.trees.intern(Arc::new(run.tree));
        debug_assert_ne!(world.calls[run.call as usize], NOT_STARTED);
        Ok(Delivery {
            canister,
            message: run.message,
            effects,
            cleanup,
            answered: settled.answered,
            awaits: settled.awaits,
            dropped: settled.dropped,
        })
    }

    fn execute_in(
        &mut self,
        world: &World,
        run: &Run,
        context: &Context,
        message: u32,
    ) -> Result<Arc<Effects>, Unsupported> {
        let canister = context.canister;
        let state = world.canisters[usize::from(canister)];
        let system = self.tables.systems.value(state.system).clone();
        let outstanding = self.outstanding(world, run, canister);
        let env = Env {
            own_id: self.ids[usize::from(canister)],
            time_ns: world.time_ns,
            caller: *self.tables.principals.value(context.caller),
            answered: context.answered,
            available: context.available,
            refunded: run.refunded,
            deadline_ns: context.deadline_ns,
            instructions: context.instructions,
            balance: system.balance,
            version: system.version,
            timer_ns: system.timer_ns,
            outstanding: &outstanding,
        };
        self.execute(canister, state.memory, message, &env)
    }

    /// Callees of all open callbacks of a canister, in this world with this delivery's tree in place of the stored one.
    fn outstanding(&self, world: &World, run: &Run, canister: u16) -> Vec<Principal> {
        let open = |tree: &CallTree| {
            let waits = |request: &&Request| request.caller == canister && request.callback.is_some();
            tree.requests
                .iter()
                .filter(waits)
                .filter_map(|request| self.ids.get(usize::from(request.callee)))
                .copied()
                .collect::<Vec<Principal>>()
        };
        let mut all = open(&run.tree);
        for (call, &tree) in world.calls.iter().enumerate() {
            if call != run.call as usize && tree != NOT_STARTED {
                all.extend(open(self.tree(tree)));
            }
        }
        all
    }

    fn commit(&mut self, world: &mut World, canister: u16, effects: &Effects) {
        world.canisters[usize::from(canister)].memory = effects.memory;
        let counts_version = self.guests[usize::from(canister)].sees_version();
        let attached: Cycles = effects.sent.iter().map(|sent| sent.cycles).sum();
        self.change_system(world, canister, |system| {
            system.balance = system.balance + effects.accepted - attached - effects.burned;
            system.timer_ns = effects.timer_ns.unwrap_or(system.timer_ns);
            system.certified = effects.certified.unwrap_or(system.certified);
            system.version += u64::from(counts_version);
        });
    }

    fn change_system(&mut self, world: &mut World, canister: u16, change: impl FnOnce(&mut SystemState)) {
        let state = &mut world.canisters[usize::from(canister)];
        let old = self.tables.systems.value(state.system);
        let mut new = old.clone();
        change(&mut new);
        if new != *old {
            state.system = self.tables.systems.intern(new);
        }
    }

    fn send(&mut self, world: &mut World, tree: &mut CallTree, call: u32, context: usize, path: Path, sent: &Sent) {
        let caller = tree.contexts[context].canister;
        let deadline_ns = sent.timeout_s.map_or(0, |timeout_s| {
            // Deadlines are whole seconds (semantics 4.2).
            (world.time_ns / 1_000_000_000 + u64::from(timeout_s.min(300))) * 1_000_000_000
        });
        let mut callback = Callback {
            context: context as u32,
            on_reply: sent.on_reply,
            on_reject: sent.on_reject,
            on_cleanup: sent.on_cleanup,
            sent: sent.cycles,
            deadline_ns,
            response: None,
            expired: false,
        };
        let Some(callee) = sent.callee else {
            let text = format!("No route to canister {}", sent.callee_id).into();
            let response = self.tables.responses.intern(Response::Reject { code: 3, text });
            callback.response = Some(InFlight { response, refund: sent.cycles });
            let callback = Some(callback);
            let callee = u16::MAX;
            tree.add_request(Request { path, caller, callee, queued: None, cycles: 0, callback, faults: 0 });
            return;
        };
        world.enqueue(Queued { pair: (caller, callee), call, path: path.clone() });
        tree.add_request(Request {
            path,
            caller,
            callee,
            queued: Some(sent.message),
            cycles: sent.cycles,
            callback: Some(callback),
            faults: sent.faults,
        });
    }
}
