//! The orders of turns seen so far under one plan, as a tree.
//!
//! loom makes an execution from its beginning every time; what is new in it is its end. The tree tells which turns are new,
//! so that invariants are evaluated once and an order is counted once; and it remembers what every turn did, so that a model
//! that is not deterministic is noticed at the first turn that differs, with a text, before loom loses its way.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A tree of turns; an order of turns is a path from the root.
#[derive(Debug)]
pub(crate) struct Orders {
    children: BTreeMap<(u32, u32), u32>,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    parent: u32,
    digest: u64,
    /// What the turn did, for people.
    what: String,
    /// Whether a complete execution ended here.
    is_end: bool,
}

/// A turn that was made before, and did something else then.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Contradiction {
    /// What it did at first.
    pub first: String,
}

/// A place in [`Orders`]: the turns made so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u32);

impl Orders {
    pub fn new() -> Orders {
        let root = Node { parent: 0, digest: 0, what: String::new(), is_end: false };
        Orders { children: BTreeMap::new(), nodes: vec![root] }
    }

    /// The place before the first turn.
    pub fn root(&self) -> Place {
        Place(0)
    }

    /// Goes on by a turn of this call that did this; says whether that is new.
    pub fn go(
        &mut self,
        place: Place,
        call: u32,
        did: &impl Hash,
        what: impl FnOnce() -> String,
    ) -> Result<(Place, bool), Contradiction> {
        let mut hasher = DefaultHasher::new();
        did.hash(&mut hasher);
        let digest = hasher.finish();
        if let Some(&child) = self.children.get(&(place.0, call)) {
            let node = &self.nodes[child as usize];
            debug_assert_eq!(node.parent, place.0);
            if node.digest != digest {
                return Err(Contradiction { first: node.what.clone() });
            }
            return Ok((Place(child), false));
        }
        let child = self.nodes.len() as u32;
        self.children.insert((place.0, call), child);
        self.nodes.push(Node { parent: place.0, digest, what: what(), is_end: false });
        Ok((Place(child), true))
    }

    /// Marks the end of a complete execution; says whether it is the first one here.
    pub fn end(&mut self, place: Place) -> bool {
        !std::mem::replace(&mut self.nodes[place.0 as usize].is_end, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_new_once_and_must_do_the_same_ever_after() {
        let mut orders = Orders::new();
        let root = orders.root();
        let (first, is_new) = orders.go(root, 0, &"a", || "does a".to_string()).unwrap();
        assert!(is_new);
        assert_eq!(orders.go(root, 0, &"a", String::new), Ok((first, false)));
        assert!(orders.end(first));
        assert!(!orders.end(first));
        let (other, is_new) = orders.go(root, 1, &"a", String::new).unwrap();
        assert!(is_new && other != first);
        let contradiction = orders.go(root, 0, &"b", String::new).unwrap_err();
        assert_eq!(contradiction.first, "does a");
    }
}
