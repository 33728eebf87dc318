//! Hashes by content of a world and of a tree: the same in every run and on every machine, unlike the interned ids they are
//! made of.

use std::hash::{Hash, Hasher};

use super::intern::content_hash;
use super::tables::Tables;
use super::tree::CallTree;
use super::world::World;
use super::{Kernel, Message};

impl Kernel {
    /// Hash of everything that the future of a world depends on.
    pub fn fingerprint(&self, world: &World) -> u128 {
        content_hash(&Content { kernel: self, world })
    }
}

struct Content<'a> {
    kernel: &'a Kernel,
    world: &'a World,
}

impl Hash for Content<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Content { kernel, world } = self;
        let tables = &kernel.tables;
        for (guest, state) in kernel.guests.iter().zip(&world.canisters) {
            guest.fingerprint(state.memory).hash(hasher);
            let system = tables.systems.value(state.system);
            (system.balance, system.version, system.timer_ns, system.status, system.pending, system.draws, system.hook)
                .hash(hasher);
            tables.blobs.value(system.certified).hash(hasher);
            tables.controllers.value(system.controllers).hash(hasher);
            if let Some(snapshot) = system.snapshot {
                (guest.fingerprint(snapshot.memory), tables.blobs.value(snapshot.certified)).hash(hasher);
            }
        }
        for &tree in &world.trees {
            tables.tree_hash(tree).hash(hasher);
        }
        for queued in &world.queue {
            queued.hash(hasher);
        }
        (&world.faults, &world.times, &world.outcalls, world.time_ns).hash(hasher);
        for &ghost in &world.ghosts {
            tables.blobs.value(ghost).hash(hasher);
        }
        if let Some(turns) = world.turns {
            turns.hash(hasher);
        }
    }
}

impl Tables {
    /// Hash of what a tree says.
    pub(super) fn content(&self, tree: &CallTree) -> u128 {
        content_hash(&TreeContent { tables: self, tree })
    }
}

struct TreeContent<'a> {
    tables: &'a Tables,
    tree: &'a CallTree,
}

impl TreeContent<'_> {
    fn message<H: Hasher>(&self, message: u32, hasher: &mut H) {
        if let Message::Call { method, arg } = self.tables.messages.value(message) {
            (self.tables.names.value(*method), self.tables.blobs.value(*arg)).hash(hasher);
        }
    }
}

impl Hash for TreeContent<'_> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let TreeContent { tables, tree } = self;
        (tree.answer.map(|answer| tables.responses.value(answer)), tree.submitted).hash(hasher);
        if let Some(chosen) = tree.chosen {
            self.message(chosen, hasher);
        }
        if !tree.marks.is_empty() {
            tree.marks.hash(hasher);
        }
        (tree.contexts.len(), tree.requests.len()).hash(hasher);
        for context in &tree.contexts {
            let caller = tables.principals.value(context.caller);
            (&context.path, context.canister, caller).hash(hasher);
            (context.answered, context.held, context.deleted).hash(hasher);
            (context.available, context.deadline_ns, context.instructions).hash(hasher);
            // Without ghosts a tree has the hash that it would have if there were none.
            context.noted.into_iter().for_each(|message| self.message(message, hasher));
        }
        for request in &tree.requests {
            (&request.path, request.caller, request.callee, request.cycles, request.waits_for_stop).hash(hasher);
            (request.faults, request.queued.is_some(), request.callback.is_some()).hash(hasher);
            if let Some(message) = request.queued {
                self.message(message, hasher);
            }
            let Some(callback) = &request.callback else { continue };
            (callback.context, callback.on_reply, callback.on_reject, callback.on_cleanup).hash(hasher);
            (callback.sent, callback.deadline_ns, callback.expired).hash(hasher);
            callback.noted.into_iter().for_each(|message| self.message(message, hasher));
            callback.response.is_some().hash(hasher);
            if let Some(answer) = &callback.response {
                (tables.responses.value(answer.response), answer.refund).hash(hasher);
            }
        }
    }
}
