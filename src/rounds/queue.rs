//! What waits for a canister: messages from outside and from other canisters, and which of them is taken next.
//!
//! In: messages as they arrive. Out: one after the other, as the replica takes them: sources in turn, within a source senders
//! in turn, within a sender in order, requests and responses together.

use std::collections::{BTreeMap, VecDeque};

use crate::schedule::{Path, Step};

/// A message from one canister to another on its way: the request of this name, or the response to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Item {
    /// Position of its tree in the world.
    pub tree: u32,
    /// The request's path, for its response likewise.
    pub path: Path,
    /// Whether it is the response.
    pub is_response: bool,
    /// Who sent it.
    pub from: u16,
    /// Whom it is for.
    pub to: u16,
}

impl Item {
    /// The response to this request.
    pub fn answer(self) -> Item {
        Item { is_response: true, from: self.to, to: self.from, ..self }
    }
}

/// A message that is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The start of a call.
    Ingress(Step),
    /// A request or a response.
    Message(Item),
}

/// Where messages come from, in the order in which sources take turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Source {
    #[default]
    Local,
    Ingress,
    Remote,
}

impl Source {
    fn next(self) -> Source {
        match self {
            Source::Local => Source::Ingress,
            Source::Ingress => Source::Remote,
            Source::Remote => Source::Local,
        }
    }
}

/// What waits for one canister, or for the management canister on one subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Inbox {
    ingress: VecDeque<Step>,
    /// By sender; a queue that has become empty is not kept.
    queues: BTreeMap<u16, VecDeque<Item>>,
    local: VecDeque<u16>,
    remote: VecDeque<u16>,
    turn: Source,
}

impl Inbox {
    /// Adds a call.
    pub fn add_call(&mut self, start: Step) {
        self.ingress.push_back(start);
    }

    /// Adds a message of a canister of the same subnet, or of another one.
    pub fn add(&mut self, item: Item, is_local: bool) {
        let from = item.from;
        self.queues.entry(from).or_default().push_back(item);
        if !self.local.contains(&from) && !self.remote.contains(&from) {
            if is_local { self.local.push_back(from) } else { self.remote.push_back(from) }
        }
    }

    /// Whether something waits.
    pub fn has_input(&self) -> bool {
        !self.ingress.is_empty() || !self.queues.is_empty()
    }

    /// Takes the next one.
    pub fn take(&mut self) -> Option<Input> {
        for _ in 0..3 {
            let source = self.turn;
            self.turn = source.next();
            let taken = match source {
                Source::Ingress => self.ingress.pop_front().map(Input::Ingress),
                Source::Local => take_in_turn(&mut self.queues, &mut self.local).map(Input::Message),
                Source::Remote => take_in_turn(&mut self.queues, &mut self.remote).map(Input::Message),
            };
            if taken.is_some() {
                return taken;
            }
        }
        None
    }

    /// Drops the messages that are not wanted any more.
    pub fn retain(&mut self, is_wanted: impl Fn(&Item) -> bool) {
        for queue in self.queues.values_mut() {
            queue.retain(&is_wanted);
        }
        self.queues.retain(|_, queue| !queue.is_empty());
    }

    /// The messages of canisters.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.queues.values().flatten()
    }

    /// The calls.
    pub fn calls(&self) -> impl Iterator<Item = &Step> {
        self.ingress.iter()
    }
}

/// Takes the first message of the sender whose turn it is, who comes last then; senders of whom nothing is left lose their turn.
fn take_in_turn(queues: &mut BTreeMap<u16, VecDeque<Item>>, senders: &mut VecDeque<u16>) -> Option<Item> {
    while let Some(sender) = senders.pop_front() {
        let Some(queue) = queues.get_mut(&sender) else { continue };
        let item = queue.pop_front();
        if queue.is_empty() {
            queues.remove(&sender);
        } else {
            senders.push_back(sender);
        }
        return item;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(from: u16, tree: u32) -> Item {
        Item { tree, path: Path::root().request(1), is_response: false, from, to: 9 }
    }

    fn order(inbox: &mut Inbox) -> String {
        let name = |input| match input {
            Input::Ingress(step) => format!("call {step}"),
            Input::Message(item) => format!("{}:{}", item.from, item.tree),
        };
        std::iter::from_fn(|| inbox.take()).map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn sources_take_turns_and_so_do_senders() {
        let mut inbox = Inbox::default();
        for (from, tree) in [(1, 0), (1, 1), (2, 2), (1, 3)] {
            inbox.add(item(from, tree), true);
        }
        inbox.add(item(5, 4), false);
        for call in ["0", "1"] {
            inbox.add_call(call.parse().unwrap());
        }
        assert_eq!(order(&mut inbox), "1:0 call 0 5:4 2:2 call 1 1:1 1:3");
        assert!(!inbox.has_input());
    }

    #[test]
    fn the_turn_is_kept_when_nothing_waits() {
        let mut inbox = Inbox::default();
        inbox.add(item(1, 0), true);
        assert_eq!(order(&mut inbox), "1:0");
        inbox.add(item(1, 1), true);
        inbox.add_call("7".parse().unwrap());
        assert_eq!(order(&mut inbox), "call 7 1:1");
    }

    #[test]
    fn a_sender_whose_messages_were_dropped_loses_its_turn() {
        let mut inbox = Inbox::default();
        inbox.add(item(1, 0), true);
        inbox.add(item(2, 1), true);
        inbox.retain(|item| item.from != 1);
        assert_eq!(order(&mut inbox), "2:1");
    }
}
