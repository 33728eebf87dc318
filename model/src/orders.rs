//! The orders of turns seen so far under one plan, as a tree.
//!
//! loom makes an execution from its beginning every time; what is new in it is its end. The tree tells which turns are new,
//! so that invariants are evaluated once and an order is counted once; and it remembers what every turn did, so that a model
//! that is not deterministic is noticed, with a text, before loom loses its way.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use canloom::schedule::Step;

use crate::turn::Next;

/// A tree of turns; an order of turns is a path from the root.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// Turns by the place before them and the call that had the turn. Places are positions in `turns`, plus 1.
    children: BTreeMap<(Place, usize), Place>,
    turns: Vec<Turn>,
}

/// A place in the tree: the turns made so far. The first one has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(usize);

/// What a turn did.
#[derive(Debug)]
pub(crate) struct Turn {
    pub step: Step,
    /// What was left for its call.
    pub next: Next,
    /// Of what it sent and answered.
    pub effects: u64,
    /// Of the observations after it.
    pub observed: u64,
    /// All of that, for people.
    pub what: String,
    /// Whether a complete execution ended here.
    pub is_end: bool,
}

impl Orders {
    /// The place after a turn of this call, if it was made before.
    pub fn known(&self, place: Place, call: usize) -> Option<Place> {
        self.children.get(&(place, call)).copied()
    }

    /// Adds a turn of this call.
    pub fn add(&mut self, place: Place, call: usize, turn: Turn) -> Place {
        self.turns.push(turn);
        let child = Place(self.turns.len());
        let known = self.children.insert((place, call), child);
        assert!(known.is_none(), "bug in model: a turn is added once");
        child
    }

    /// The turn that led to this place.
    pub fn turn(&self, place: Place) -> &Turn {
        &self.turns[place.0 - 1]
    }

    /// Marks the end of a complete execution; says whether it is the first one here.
    pub fn end(&mut self, place: Place) -> bool {
        !std::mem::replace(&mut self.turns[place.0 - 1].is_end, true)
    }
}

/// A hash that is the same in every execution.
pub(crate) fn digest(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_known_where_it_was_added_and_nowhere_else() {
        let turn = |name: &str| Turn {
            step: name.parse().unwrap(),
            next: Next::More,
            effects: 0,
            observed: 0,
            what: String::new(),
            is_end: false,
        };
        let mut orders = Orders::default();
        let start = Place::default();
        let first = orders.add(start, 0, turn("0"));
        assert_eq!(orders.known(start, 0), Some(first));
        assert_eq!(orders.known(start, 1), None);
        assert_eq!(orders.known(first, 0), None);
        let other = orders.add(start, 1, turn("1"));
        assert_eq!(orders.turn(other).step.to_string(), "1");
        assert!(orders.end(first));
        assert!(!orders.end(first));
        assert!(orders.end(other));
    }
}
