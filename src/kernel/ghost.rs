//! Ghosts: sums that the harness keeps of what canisters did to each other. They change nothing else.
//!
//! In: a request that was executed and replied to, or a reply that is delivered. Out: the sums in the world. What a message
//! adds is said by the engine ([`Adder`]), since the kernel reads no Candid; the bytes of a sum mean something to it alone.

use std::fmt::Debug;
use std::sync::Arc;

use candid::Principal;

use super::guest::Response;
use super::tree::MessageId;
use super::world::World;
use super::{Kernel, Message};

/// A sum over the messages on an edge.
#[derive(Clone, Debug)]
pub struct GhostSpec {
    /// Sender and receiver.
    pub edge: (u16, u16),
    /// The method called.
    pub method: String,
    /// Which moment of a message counts.
    pub at: Moment,
    /// What a message adds.
    pub adder: Arc<dyn Adder>,
}

/// A moment of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The callee's call context is answered.
    Effect,
    /// The reply is delivered.
    Reply,
}

/// Says what a message makes of a sum.
pub trait Adder: Debug + Send + Sync {
    /// The sum at the start.
    fn start(&self) -> Vec<u8>;

    /// The sum after a message with this Candid argument, that `by` sent, and that was replied to; `None` if it is the same.
    fn add(&self, sum: &[u8], arg: &[u8], reply: &[u8], by: Principal) -> Option<Vec<u8>>;
}

impl Kernel {
    /// The sums at the start.
    pub(super) fn ghosts_at_start(&self) -> Vec<u32> {
        let start = |ghost: &GhostSpec| self.tables.blobs.intern(Arc::from(ghost.adder.start()));
        self.plan.ghosts.iter().map(start).collect()
    }

    /// The bytes of a ghost's sum in a world.
    pub fn ghost(&self, world: &World, ghost: usize) -> &[u8] {
        self.tables.blobs.value(world.ghosts[ghost])
    }

    /// The message, if some ghost counts it at that moment: what is kept of it until then.
    pub(super) fn noted(&self, at: Moment, edge: (u16, u16), message: MessageId) -> Option<MessageId> {
        let is_counted = !self.plan.ghosts.is_empty() && self.counts(at, edge, message).next().is_some();
        is_counted.then_some(message)
    }

    /// Counts a message on an edge that has this response; a reject counts for nothing.
    pub(super) fn count(&mut self, world: &mut World, at: Moment, edge: (u16, u16), message: MessageId, response: u32) {
        let Response::Reply(reply) = self.tables.responses.value(response) else { return };
        let by = self.id(edge.0);
        let changes: Vec<(usize, u32)> = self
            .counts(at, edge, message)
            .map(|(ghost, arg)| {
                let key = (ghost, world.ghosts[ghost], message, response);
                let after = self.sums.get(&key).copied().unwrap_or_else(|| {
                    let sum = self.tables.blobs.value(world.ghosts[ghost]);
                    let after = self.plan.ghosts[ghost].adder.add(sum, arg, reply, by);
                    after.map_or(world.ghosts[ghost], |after| self.tables.blobs.intern(Arc::from(after)))
                });
                (ghost, after)
            })
            .collect();
        for (ghost, after) in changes {
            self.sums.insert((ghost, world.ghosts[ghost], message, response), after);
            world.ghosts[ghost] = after;
        }
    }

    /// The ghosts that count a message at that moment, with its argument.
    fn counts(&self, at: Moment, edge: (u16, u16), message: MessageId) -> impl Iterator<Item = (usize, &[u8])> {
        let called = match self.tables.messages.value(message) {
            Message::Call { method, arg } => Some((self.tables.names.value(*method), self.tables.blobs.value(*arg))),
            _ => None,
        };
        let ghosts = self.plan.ghosts.iter().enumerate();
        ghosts.filter_map(move |(position, ghost)| {
            let (method, arg) = called?;
            let counts = ghost.at == at && ghost.edge == edge && ghost.method == *method;
            counts.then_some((position, &arg[..]))
        })
    }
}
