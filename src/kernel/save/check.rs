//! Whether ids have values: what a file says is not used before.

use crate::schedule::Path;

use super::super::guest::MemoryId;
use super::super::memo::{Effects, Key};
use super::super::system::{Pending, SystemState};
use super::super::tree::{CallTree, Callback, Request};
use super::super::world::{NOT_STARTED, World};
use super::super::{Kernel, MANAGEMENT, Message, NOWHERE};

type Checked = Result<(), String>;

/// A kernel whose tables are looked at, with the number of states of each canister.
pub(super) struct Known<'a> {
    kernel: &'a Kernel,
    states: Vec<u32>,
}

impl Kernel {
    /// Whether a world from a file is one that this kernel can go on with, as from the first one, `like`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_world(&self, world: &World, like: &World) -> Result<(), String> {
        if world.shape() != like.shape() {
            return Err("a world has another number of parts".to_string());
        }
        ensure(world.time_ns >= like.time_ns, "a world lies before the first one")?;
        Known::new(self).world(world)
    }
}

fn below(what: &str, id: u32, count: usize) -> Checked {
    if (id as usize) < count {
        return Ok(());
    }
    Err(format!("it refers to {what} {id}, and there are {count}"))
}

fn optional(id: Option<u32>, check: impl Fn(u32) -> Checked) -> Checked {
    id.map_or(Ok(()), check)
}

fn ensure(holds: bool, what: &str) -> Checked {
    if holds { Ok(()) } else { Err(what.to_string()) }
}

impl<'a> Known<'a> {
    pub(super) fn new(kernel: &'a Kernel) -> Known<'a> {
        let states = kernel.guests.iter().map(|guest| guest.sizes().first().copied().unwrap_or(0)).collect();
        Known { kernel, states }
    }

    fn blob(&self, id: u32) -> Checked {
        below("bytes", id, self.kernel.tables.blobs.count())
    }

    fn response(&self, id: u32) -> Checked {
        below("response", id, self.kernel.tables.responses.count())
    }

    fn canister(&self, at: u16) -> Checked {
        below("canister", at.into(), self.states.len())
    }

    fn memory(&self, canister: u16, memory: MemoryId) -> Checked {
        self.canister(canister)?;
        below("state", memory.0, self.states[usize::from(canister)] as usize)
    }

    /// A canister that is called.
    fn callee(&self, at: u16) -> Checked {
        if at == MANAGEMENT { Ok(()) } else { self.canister(at) }
    }

    fn faults(&self, matching: u32) -> Checked {
        let faults = self.kernel.plan.faults.len() as u32;
        ensure(u64::from(matching) >> faults == 0, "it refers to faults that there are not")
    }

    /// A message that calls a method.
    fn call(&self, id: u32) -> Checked {
        below("message", id, self.kernel.tables.messages.count())?;
        let is_call = matches!(self.kernel.tables.messages.value(id), Message::Call { .. });
        ensure(is_call, "a request calls no method")
    }

    pub(super) fn message(&self, message: &Message) -> Checked {
        match *message {
            Message::Call { method, arg }
            | Message::Query { method, arg }
            | Message::Transform { method, arg }
            | Message::Getter { method, arg }
            | Message::Inspect { method, arg } => {
                below("name", method, self.kernel.tables.names.count())?;
                self.blob(arg)
            }
            Message::Callback { response, .. }
            | Message::CompositeCallback { response, .. }
            | Message::CompositeCleanup { response, .. }
            | Message::Cleanup { response, .. } => self.response(response),
            Message::Task(task) => ensure(task.is_message(), "a task has no message"),
            Message::Init { arg } | Message::PostUpgrade { arg } => self.blob(arg),
            Message::PreUpgrade => Ok(()),
        }
    }

    /// All but the state in a snapshot, which is that of a canister.
    pub(super) fn system(&self, system: &SystemState) -> Checked {
        self.blob(system.certified)?;
        optional(system.snapshot.map(|snapshot| snapshot.certified), |id| self.blob(id))?;
        below("controllers", system.controllers, self.kernel.tables.controllers.count())?;
        match system.pending {
            Pending::Nothing => Ok(()),
            Pending::AfterStop(fault) => below("fault", fault.into(), self.kernel.plan.faults.len()),
        }
    }

    pub(super) fn tree(&self, tree: &CallTree) -> Checked {
        optional(tree.answer, |answer| self.response(answer))?;
        optional(tree.chosen, |message| self.call(message))?;
        for context in &tree.contexts {
            self.canister(context.canister)?;
            below("principal", context.caller, self.kernel.tables.principals.count())?;
            optional(context.noted, |message| self.call(message))?;
        }
        for request in &tree.requests {
            self.request(request, tree.contexts.len())?;
        }
        fn sorted<'p>(paths: impl Iterator<Item = &'p Path>) -> bool {
            paths.is_sorted_by(|a, b| a < b)
        }
        let contexts = sorted(tree.contexts.iter().map(|context| &context.path));
        ensure(contexts && sorted(tree.requests.iter().map(|request| &request.path)), "a tree is not in order")
    }

    fn request(&self, request: &Request, contexts: usize) -> Checked {
        self.canister(request.caller)?;
        if request.callee != NOWHERE || request.queued.is_some() {
            self.callee(request.callee)?;
        }
        self.faults(request.faults)?;
        optional(request.queued, |message| self.call(message))?;
        optional(request.waits_for_stop.map(u32::from), |at| below("canister", at, self.states.len()))?;
        ensure(request.path.depth() > 0, "a request has no name")?;
        let Some(Callback { context, response, noted, .. }) = &request.callback else { return Ok(()) };
        optional(*noted, |message| self.call(message))?;
        below("context", *context, contexts)?;
        optional(response.as_ref().map(|answer| answer.response), |response| self.response(response))
    }

    pub(super) fn execution(&self, (canister, memory, message): Key, effects: &Effects) -> Checked {
        self.memory(canister, memory)?;
        below("message", message, self.kernel.tables.messages.count())?;
        self.memory(canister, effects.memory)?;
        optional(effects.response, |response| self.response(response))?;
        optional(effects.certified, |blob| self.blob(blob))?;
        for sent in &effects.sent {
            sent.callee.map_or(Ok(()), |callee| self.callee(callee))?;
            self.call(sent.message)?;
            self.faults(sent.faults)?;
        }
        effects.performed.iter().try_for_each(|&faults| self.faults(faults))
    }

    fn world(&self, world: &World) -> Checked {
        let tables = &self.kernel.tables;
        for (at, state) in world.canisters.iter().enumerate() {
            let canister = at as u16;
            self.memory(canister, state.memory)?;
            below("system state", state.system, tables.systems.count())?;
            let snapshot = tables.systems.value(state.system).snapshot;
            snapshot.map_or(Ok(()), |snapshot| self.memory(canister, snapshot.memory))?;
        }
        world.ghosts.iter().try_for_each(|&ghost| self.blob(ghost))?;
        let mut waiting = 0;
        for &tree in &world.trees {
            below("tree", tree, tables.trees.count())?;
            if tree != NOT_STARTED {
                waiting += tables.tree(tree).requests.iter().filter(|request| request.queued.is_some()).count();
            }
        }
        ensure(waiting == world.queue.len(), "a request waits in no queue")?;
        for (at, &tree) in world.trees.iter().enumerate().filter(|(_, tree)| **tree != NOT_STARTED) {
            let chooses = self.kernel.calls().get(at).is_some_and(|call| call.chosen.is_some());
            ensure(tables.tree(tree).chosen.is_some() == chooses, "a call has another kind of argument")?;
        }
        let calls = self.kernel.calls().len();
        let is_submitted = |&tree: &u32| tree != NOT_STARTED && tables.tree(tree).submitted;
        ensure(!world.trees[calls..].iter().any(is_submitted), "a task waits for inspection")?;
        if let Some(last) = world.turns.and_then(|turns| turns.last) {
            below("tree", last, world.trees.len())?;
        }
        ensure(world.queue.is_sorted_by_key(|queued| queued.pair), "the queues are not in order")?;
        for (at, queued) in world.queue.iter().enumerate() {
            below("tree", queued.tree, world.trees.len())?;
            ensure(world.position(queued.tree, &queued.path) == Some(at), "a request waits twice")?;
            let tree = tables.tree(world.trees[queued.tree as usize]);
            let request = tree.request(&queued.path).map(|at| &tree.requests[at]);
            let waits = request
                .is_some_and(|request| request.queued.is_some() && (request.caller, request.callee) == queued.pair);
            ensure(waits, "a queue holds what is no request")?;
        }
        Ok(())
    }
}
