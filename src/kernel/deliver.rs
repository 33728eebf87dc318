//! What a step does to a world, and deliveries in particular.
//!
//! In: a world and one of its choices. Out: the next world (not yet in canonical form) and what happened. Faults on requests
//! are in [`super::fault`], what is done to a canister as a whole in [`super::change`].
//! A delivery is atomic: it executes one message, commits or undoes it as a whole, sends its requests in `call_perform`
//! order and settles its call context (semantics 2.2, 2.3).

use std::sync::Arc;

use candid::Principal;

use crate::schedule::{Path, StepKind, Task};

use super::guest::{Cycles, Env, Function, Response};
use super::memo::{Effects, Sent};
use super::settle::deliver_answer;
use super::system::{Pending, Status};
use super::tree::{CallTree, Callback, Context, InFlight, Request};
use super::world::{NOT_STARTED, Queued, World};
use super::{Choice, Kernel, MANAGEMENT, Message, NOWHERE, Target, TaskSpec, Unsupported};

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

/// What came of a step.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A canister executed a message.
    Delivery(Delivery),
    /// The system acted, and no canister executed a message that awaits: in words.
    System(String),
    /// Only what the step's name says.
    Nothing,
}

impl Happened {
    /// The delivery, if a canister executed a message.
    pub fn delivery(&self) -> Option<&Delivery> {
        match self {
            Happened::Delivery(delivery) => Some(delivery),
            Happened::System(_) | Happened::Nothing => None,
        }
    }
}

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

impl Kernel {
    /// Makes a step.
    ///
    /// # Errors
    /// If a guest cannot tell what the IC would do.
    pub fn apply(&mut self, world: &World, choice: &Choice) -> Result<(World, Happened), Unsupported> {
        let mut next = world.clone();
        if let Some(fault) = choice.fault {
            next.faults[usize::from(fault)] += 1;
        }
        let perform_fails = if let StepKind::PerformFails(n) = choice.kind { n } else { 0 };
        let happened = match choice.target {
            Target::Root(tree) => match (self.task(tree).copied(), choice.kind) {
                (Some(task), _) => self.run_task(&mut next, tree, &task, perform_fails)?,
                (None, StepKind::Submit) => self.submit(&mut next, tree)?,
                (None, _) => self.deliver_ingress(&mut next, tree, perform_fails)?,
            },
            Target::Request { tree, request } => {
                self.act_on_request(&mut next, tree, request, choice, perform_fails)?
            }
            Target::Clock(entry) => {
                next.times[entry as usize] += 1;
                next.time_ns = next.time_ns.saturating_add(self.plan.times[entry as usize].advance_ns);
                Happened::Nothing
            }
            Target::Canister { canister, task } => self.change(&mut next, canister, task, choice.fault)?,
        };
        self.stop_what_is_idle(&mut next);
        Ok((next, happened))
    }

    fn act_on_request(
        &mut self,
        world: &mut World,
        tree: u32,
        at: u32,
        choice: &Choice,
        perform_fails: u32,
    ) -> Result<Happened, Unsupported> {
        let request = self.tree(world.trees[tree as usize]).requests[at as usize].clone();
        match choice.kind {
            StepKind::Request => self.deliver_request(world, tree, &request, perform_fails),
            StepKind::PerformFails(_) if request.queued.is_some() => {
                self.deliver_request(world, tree, &request, perform_fails)
            }
            StepKind::Reject(code) => {
                self.reject(world, tree, &request, code);
                Ok(Happened::Nothing)
            }
            StepKind::Expire => {
                self.expire(world, tree, &request);
                Ok(Happened::Nothing)
            }
            StepKind::BusinessError | StepKind::Lie => {
                let fault = choice.fault.expect("bug in canloom: a scripted answer is a fault");
                self.answer_by_script(world, tree, &request, choice.kind, fault);
                Ok(Happened::Nothing)
            }
            StepKind::Start | StepKind::Submit | StepKind::Response | StepKind::Trap | StepKind::PerformFails(_) => {
                let traps = choice.kind == StepKind::Trap;
                self.deliver_response(world, tree, &request, perform_fails, traps)
            }
        }
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
        // Whoever administers the canister is at work on it: nobody is surprised that queries fail, so the state is read.
        let is_maintained = matches!(system.pending, Pending::AfterStop(_));
        if system.status == Status::Stopped && !is_maintained {
            let text = format!("IC0508: Canister {} is stopped", self.id(canister)).into();
            return Ok(self.tables.responses.intern(Response::Reject { code: 5, text }));
        }
        let env = Env {
            balance: system.balance,
            version: system.version,
            timer_ns: system.timer_ns,
            status: system.status,
            controllers: self.tables.controllers.value(system.controllers).clone(),
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

    /// Executes the ingress message of a call.
    fn deliver_ingress(&mut self, world: &mut World, at: u32, perform_fails: u32) -> Result<Happened, Unsupported> {
        let spec = &self.plan.calls[at as usize];
        let (canister, caller) = (spec.canister, spec.caller);
        if let Some((code, text)) = self.not_running(world, canister) {
            let response = self.tables.responses.intern(Response::Reject { code, text: text.as_str().into() });
            let tree = CallTree { answer: Some(response), ..CallTree::default() };
            world.trees[at as usize] = self.tables.trees.intern(Arc::new(tree));
            return Ok(Happened::System(text));
        }
        let message = self.call_messages[at as usize];
        self.open_root(world, at, canister, caller, message, perform_fails)
    }

    /// Asks `canister_inspect_message` whether a call is accepted; what it wrote is dropped (semantics 2.7).
    fn submit(&mut self, world: &mut World, at: u32) -> Result<Happened, Unsupported> {
        let spec = &self.plan.calls[at as usize];
        let (canister, caller) = (spec.canister, spec.caller);
        let state = world.canisters[usize::from(canister)];
        let Message::Call { method, arg } = *self.tables.messages.value(self.call_messages[at as usize]) else {
            unreachable!("bug in canloom: a call's message is a call")
        };
        let message = self.tables.messages.intern(Message::Inspect { method, arg });
        let system = self.tables.systems.value(state.system).clone();
        let env = Env {
            balance: system.balance,
            version: system.version,
            timer_ns: system.timer_ns,
            status: system.status,
            controllers: self.tables.controllers.value(system.controllers).clone(),
            ..Env::outside(self.ids[usize::from(canister)], caller, world.time_ns)
        };
        let effects = self.execute(canister, state.memory, message, &env)?;
        let refusal = match (&effects.trap, effects.response) {
            (None, Some(_)) => None,
            (None, None) => Some((4, format!("IC0406: Canister {} rejected the message", self.id(canister)))),
            (Some(trap), _) => Some(((trap.code / 100) as u8, self.trap_text(canister, trap))),
        };
        let (tree, happened) = match refusal {
            None => (
                CallTree { submitted: true, ..CallTree::default() },
                "accepted by canister_inspect_message".to_string(),
            ),
            Some((code, text)) => {
                let response = Response::Reject { code, text: text.as_str().into() };
                let answer = Some(self.tables.responses.intern(response));
                (CallTree { answer, ..CallTree::default() }, text)
            }
        };
        world.trees[at as usize] = self.tables.trees.intern(Arc::new(tree));
        Ok(Happened::System(happened))
    }

    /// Runs a timer, a heartbeat or the low-memory hook (semantics 8).
    fn run_task(
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
        let message = self.tables.messages.intern(Message::Task(task.task));
        self.open_root(world, at, task.canister, Principal::management_canister(), message, perform_fails)
    }

    fn open_root(
        &mut self,
        world: &mut World,
        at: u32,
        canister: u16,
        caller: Principal,
        message: u32,
        perform_fails: u32,
    ) -> Result<Happened, Unsupported> {
        let caller = self.tables.principals.intern(caller);
        let mut tree = CallTree::default();
        let context = tree.open_context(Context {
            path: Path::root(),
            canister,
            caller,
            // Nobody waits for the answer of a task.
            answered: self.task(at).is_some(),
            deleted: false,
            available: 0,
            deadline_ns: 0,
            instructions: 0,
        });
        let run = Run {
            at,
            tree,
            context,
            path: Path::root(),
            message,
            refunded: 0,
            on_cleanup: None,
            perform_fails,
            traps: false,
        };
        self.run(world, run)
    }

    /// Takes a request that starts, or is answered in place of starting, out of its queue; expired ones ahead are dropped.
    pub(super) fn dequeue(&mut self, world: &mut World, at: u32, request: &Request) -> CallTree {
        self.drop_expired_ahead(world, at, request);
        // Dropping may have changed this very tree.
        let mut tree = self.tree(world.trees[at as usize]).as_ref().clone();
        let place = tree.request(&request.path).expect("bug in canloom: the request is being delivered");
        let position = world.position(at, &request.path).expect("bug in canloom: a queued request");
        world.queue.remove(position);
        if request.callback.is_none() {
            tree.requests.remove(place);
        } else {
            tree.requests[place].queued = None;
            tree.requests[place].cycles = 0;
        }
        tree
    }

    fn deliver_request(
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
            world.trees[at as usize] = self.tables.trees.intern(Arc::new(tree));
            return Ok(Happened::System(text));
        }
        let caller = self.tables.principals.intern(self.ids[usize::from(request.caller)]);
        let deadline_ns = request.callback.as_ref().map_or(0, |callback| callback.deadline_ns);
        let context = tree.open_context(Context {
            path: request.path.clone(),
            canister: request.callee,
            caller,
            answered: false,
            deleted: false,
            available: request.cycles,
            deadline_ns,
            instructions: 0,
        });
        let run = Run {
            at,
            tree,
            context,
            path: request.path.clone(),
            message,
            refunded: 0,
            on_cleanup: None,
            perform_fails,
            traps: false,
        };
        self.run(world, run)
    }

    fn deliver_response(
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
            world.trees[at as usize] = self.tables.trees.intern(Arc::new(tree));
            return Ok(Happened::System("the canister was uninstalled since: no callback runs".to_string()));
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
            let at = tree.request(&dropped.path).expect("bug in canloom: queued, not in its tree");
            if tree.requests[at].callback.is_none() {
                tree.requests.remove(at);
            } else {
                tree.requests[at].queued = None;
                tree.requests[at].cycles = 0;
            }
            world.trees[dropped.tree as usize] = self.tables.trees.intern(Arc::new(tree));
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
            self.execute_in(world, &run, &context, run.message)?
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
                self.send(world, &mut run.tree, run.at, run.context, run.path.request(at as u32 + 1), sent);
            }
        }
        let settled = self.settle(&mut run.tree, run.context, &effects, cleanup.as_deref());
        world.trees[run.at as usize] = self.tables.trees.intern(Arc::new(run.tree));
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
            status: system.status,
            controllers: self.tables.controllers.value(system.controllers).clone(),
            perform_fails: run.perform_fails,
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
