//! Deliveries: a canister executes one message.
//!
//! In: a world and the message of a step. Out: the world after it, and what happened.
//! A delivery is atomic: it executes one message, commits or undoes it as a whole, sends its requests in `call_perform`
//! order and settles its call context (semantics 2.2, 2.3).

use std::sync::Arc;

use candid::Principal;

use crate::schedule::{Path, Task};

use super::ghost::Moment;
use super::guest::{Cycles, Env, Function, Response, Trap};
use super::memo::{Effects, Sent};
use super::settle::deliver_answer;
use super::system::Hook;
use super::tree::{CallTree, Callback, Context, InFlight, Request};
use super::world::{NOT_STARTED, Queued, World};
use super::{Delivery, Happened, Kernel, MANAGEMENT, Message, NOWHERE, TaskSpec, Unsupported};

/// One delivery being made.
struct Run {
    /// Position of the tree in the world.
    at: u32,
    tree: CallTree,
    /// Position of the call context.
    context: usize,
    /// Name of the delivery: its requests are numbered below it.
    path: Path,
    message: u32,
    refunded: Cycles,
    /// What to run if the callback traps, and the response it was for.
    on_cleanup: Option<(Function, u32)>,
    /// Which `call_perform` fails, from 1; 0: none.
    perform_fails: u32,
    /// Whether a fault makes it trap whatever it does.
    traps: bool,
}

/// Why an update call is undone whose heap is larger than the settings allow.
pub(super) fn over_heap_limit(limit: u64) -> Trap {
    Trap { code: 539, text: format!("Canister exceeded its current Wasm memory limit of {limit} bytes") }
}

impl Kernel {
    /// Executes the ingress message of a call, which is chosen now, was chosen before, or is the only one it has.
    pub(super) fn deliver_ingress(
        &mut self,
        world: &mut World,
        at: u32,
        chosen: Option<u32>,
        perform_fails: u32,
    ) -> Result<Happened, Unsupported> {
        let chosen = chosen.or(self.tree(world.trees[at as usize]).chosen);
        let spec = &self.plan.calls[at as usize];
        let (canister, caller) = (spec.canister, spec.caller);
        if let Some((code, text)) = self.not_running(world, canister) {
            let response = self.tables.responses.intern(Response::Reject { code, text: text.as_str().into() });
            let tree = CallTree { answer: Some(response), chosen, ..CallTree::default() };
            world.trees[at as usize] = self.tables.intern_tree(tree);
            return Ok(Happened::System(text));
        }
        let message = chosen.unwrap_or(self.call_messages[at as usize]);
        let tree = CallTree { chosen, ..CallTree::default() };
        self.open_root(world, at, tree, (canister, caller), message, perform_fails)
    }

    /// Runs a timer, a heartbeat or the low-memory hook (semantics 8).
    pub(super) fn run_task(
        &mut self,
        world: &mut World,
        at: u32,
        task: &TaskSpec,
        perform_fails: u32,
    ) -> Result<Happened, Unsupported> {
        if task.task == Task::Timer {
            // Deactivated before it runs, even if it traps.
            self.change_system(world, task.canister, |system| system.timer_ns = 0);
        }
        if task.task == Task::LowMemory {
            self.change_system(world, task.canister, |system| system.hook = Hook::Executed);
        }
        let message = self.tables.messages.intern(Message::Task(task.task));
        let from_system = (task.canister, Principal::management_canister());
        self.open_root(world, at, CallTree::default(), from_system, message, perform_fails)
    }

    fn open_root(
        &mut self,
        world: &mut World,
        at: u32,
        tree: CallTree,
        (canister, caller): (u16, Principal),
        message: u32,
        perform_fails: u32,
    ) -> Result<Happened, Unsupported> {
        let mut context = Context::new(Path::root(), canister, self.tables.principals.intern(caller));
        // Nobody waits for the answer of a task.
        context.answered = self.task(at).is_some();
        self.begin(world, at, tree, context, message, perform_fails)
    }

    /// Opens a call context and executes the message that it is for.
    fn begin(
        &mut self,
        world: &mut World,
        at: u32,
        mut tree: CallTree,
        context: Context,
        message: u32,
        perform_fails: u32,
    ) -> Result<Happened, Unsupported> {
        let path = context.path.clone();
        let context = tree.open_context(context);
        let (refunded, on_cleanup, traps) = (0, None, false);
        self.run(world, Run { at, tree, context, path, message, refunded, on_cleanup, perform_fails, traps })
    }

    /// Takes a request that starts, or is answered in place of starting, out of its queue; expired ones ahead are dropped.
    pub(super) fn dequeue(&mut self, world: &mut World, at: u32, request: &Request) -> CallTree {
        self.drop_expired_ahead(world, at, request);
        // Dropping may have changed this very tree.
        let mut tree = self.tree(world.trees[at as usize]).as_ref().clone();
        let position = world.position(at, &request.path).expect("bug in canloom: a queued request");
        world.queue.remove(position);
        tree.leave_queue(&request.path);
        tree
    }

    pub(super) fn deliver_request(
        &mut self,
        world: &mut World,
        at: u32,
        request: &Request,
        perform_fails: u32,
    ) -> Result<Happened, Unsupported> {
        let mut tree = self.dequeue(world, at, request);
        let message = request.queued.expect("bug in canloom: a queued request has a message");
        if request.callee == MANAGEMENT {
            return self.manage(world, at, tree, request, message);
        }
        if let Some((code, text)) = self.not_running(world, request.callee) {
            let response = self.tables.responses.intern(Response::Reject { code, text: text.as_str().into() });
            deliver_answer(&mut tree, &request.path, InFlight { response, refund: request.cycles });
            world.trees[at as usize] = self.tables.intern_tree(tree);
            return Ok(Happened::System(text));
        }
        let caller = self.tables.principals.intern(self.ids[usize::from(request.caller)]);
        let mut context = Context::new(request.path.clone(), request.callee, caller);
        context.available = request.cycles;
        context.deadline_ns = request.callback.as_ref().map_or(0, |callback| callback.deadline_ns);
        context.noted = self.noted(Moment::Effect, (request.caller, request.callee), message);
        self.begin(world, at, tree, context, message, perform_fails)
    }

    pub(super) fn deliver_response(
        &mut self,
        world: &mut World,
        at: u32,
        request: &Request,
        perform_fails: u32,
        traps: bool,
    ) -> Result<Happened, Unsupported> {
        let mut tree = self.tree(world.trees[at as usize]).as_ref().clone();
        let place = tree.request(&request.path).expect("bug in canloom: the request is answered");
        let callback = request.callback.clone().expect("bug in canloom: a response needs a callback");
        let in_flight = callback.response.expect("bug in canloom: a response in flight");
        if request.queued.is_some() {
            tree.requests[place].callback = None;
        } else {
            tree.requests.remove(place);
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
        if tree.contexts[context].deleted {
            // The canister was uninstalled: no code runs (semantics 7.3).
            if tree.outstanding(context) == 0 {
                tree.close_context(context);
            }
            world.trees[at as usize] = self.tables.intern_tree(tree);
            return Ok(Happened::System("the canister was uninstalled since: no callback runs".to_string()));
        }
        if let Some(noted) = callback.noted {
            self.count(world, Moment::Reply, (request.caller, request.callee), noted, in_flight.response);
        }
        let run = Run {
            at,
            tree,
            context,
            path: request.path.response(),
            message,
            refunded,
            on_cleanup: callback.on_cleanup.map(|function| (function, in_flight.response)),
            perform_fails,
            traps,
        };
        self.run(world, run)
    }

    /// An expired request is dropped at the latest when a later one of its pair starts.
    fn drop_expired_ahead(&mut self, world: &mut World, at: u32, request: &Request) {
        let first = world.pair((request.caller, request.callee)).start;
        while world.queue[first].tree != at || world.queue[first].path != request.path {
            let dropped = world.queue.remove(first);
            let tree = world.trees[dropped.tree as usize];
            let mut tree = self.tree(tree).as_ref().clone();
            tree.leave_queue(&dropped.path);
            world.trees[dropped.tree as usize] = self.tables.intern_tree(tree);
        }
    }

    /// Executes the message of a delivery, commits what it did and settles its call context.
    fn run(&mut self, world: &mut World, mut run: Run) -> Result<Happened, Unsupported> {
        let context = run.tree.contexts[run.context].clone();
        let canister = context.canister;
        let memory = world.canisters[usize::from(canister)].memory;
        let effects = if run.traps {
            Arc::new(Effects::trap(memory, 503, "Canister called `ic0.trap` with message: 'injected by the scenario'"))
        } else {
            let effects = self.execute_in(world, &run, &context, run.message)?;
            let is_call = matches!(self.tables.messages.value(run.message), Message::Call { .. });
            match self.exceeded_heap(canister, &effects) {
                Some(limit) if is_call => {
                    Arc::new(Effects { trap: Some(over_heap_limit(limit)), ..Effects::none(memory) })
                }
                _ => effects,
            }
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
        if self.guests[usize::from(canister)].sees_instructions(memory) {
            let more = effects.instructions + cleanup.as_ref().map_or(0, |cleanup| cleanup.instructions);
            run.tree.contexts[run.context].instructions += more;
        }
        if effects.trap.is_none() {
            run.tree.contexts[run.context].available -= effects.accepted;
            for (at, sent) in effects.sent.iter().enumerate() {
                self.send(world, &mut run.tree, run.at, run.context, run.path.request(at as u32 + 1), sent);
            }
        }
        let is_callback = || matches!(self.tables.messages.value(run.message), Message::Callback { .. });
        if self.plan.marks && effects.trap.is_some() && is_callback() {
            if run.traps { run.tree.marks.add_injected() } else { run.tree.marks.add_trap(canister) }
        }
        let settled = self.settle(&mut run.tree, run.context, &effects, cleanup.as_deref());
        if let (Some(noted), Some((_, response))) = (context.noted, &settled.answered) {
            let caller = self.canister(self.tables.principals.value(context.caller));
            let caller = caller.expect("bug in canloom: a request comes from a canister");
            self.count(world, Moment::Effect, (caller, canister), noted, *response);
        }
        world.trees[run.at as usize] = self.tables.intern_tree(run.tree);
        debug_assert_ne!(world.trees[run.at as usize], NOT_STARTED);
        Ok(Happened::Delivery(Delivery {
            canister,
            message: run.message,
            effects,
            cleanup,
            answered: settled.answered,
            awaits: settled.awaits,
            dropped: settled.dropped,
        }))
    }

    fn execute_in(
        &mut self,
        world: &World,
        run: &Run,
        context: &Context,
        message: u32,
    ) -> Result<Arc<Effects>, Unsupported> {
        let canister = context.canister;
        let memory = world.canisters[usize::from(canister)].memory;
        let outstanding = self.outstanding(world, run, canister);
        let env = Env {
            caller: *self.tables.principals.value(context.caller),
            answered: context.answered,
            available: context.available,
            refunded: run.refunded,
            deadline_ns: context.deadline_ns,
            instructions: context.instructions,
            perform_fails: run.perform_fails,
            outstanding: &outstanding,
            ..self.env_outside(world, canister)
        };
        self.execute(canister, memory, message, &env)
    }

    /// Callees of all open callbacks of a canister, in this world with this delivery's tree in place of the stored one.
    fn outstanding(&self, world: &World, run: &Run, canister: u16) -> Vec<Principal> {
        let open = |tree: &CallTree| {
            let waits = |request: &&Request| request.caller == canister && request.callback.is_some();
            tree.requests
                .iter()
                .filter(waits)
                .filter(|request| request.callee != NOWHERE)
                .map(|request| self.id(request.callee))
                .collect::<Vec<Principal>>()
        };
        let mut all = open(&run.tree);
        for (at, &tree) in world.trees.iter().enumerate() {
            if at != run.at as usize && tree != NOT_STARTED {
                all.extend(open(self.tree(tree)));
            }
        }
        all
    }

    fn send(&mut self, world: &mut World, tree: &mut CallTree, at: u32, context: usize, path: Path, sent: &Sent) {
        let caller = tree.contexts[context].canister;
        let deadline_ns = sent.timeout_s.map_or(0, |timeout_s| {
            // Deadlines are whole seconds (semantics 4.2).
            (world.time_ns / 1_000_000_000 + u64::from(timeout_s.min(300))).saturating_mul(1_000_000_000)
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
            noted: sent.callee.and_then(|callee| self.noted(Moment::Reply, (caller, callee), sent.message)),
        };
        let Some(callee) = sent.callee else {
            let text = format!("No route to canister {}", sent.callee_id).into();
            let response = self.tables.responses.intern(Response::Reject { code: 3, text });
            callback.response = Some(InFlight { response, refund: sent.cycles });
            let callback = Some(callback);
            let callee = NOWHERE;
            tree.add_request(Request {
                path,
                caller,
                callee,
                queued: None,
                cycles: 0,
                callback,
                faults: 0,
                waits_for_stop: None,
            });
            return;
        };
        world.enqueue(Queued { pair: (caller, callee), tree: at, path: path.clone() });
        tree.add_request(Request {
            path,
            caller,
            callee,
            queued: Some(sent.message),
            cycles: sent.cycles,
            callback: Some(callback),
            faults: sent.faults,
            waits_for_stop: None,
        });
    }
}
