//! Canister states kept once: memories as trees of small pages, each distinct page and each distinct node stored a single
//! time.
//!
//! In: the bytes that an execution wrote. Out: a [`MemoryId`], equal for equal states. Unchanged parts are shared, so a new
//! state costs what it changed; two states are compared by their roots, and the difference of two states is found by
//! walking only where their nodes differ.

mod save;

use serde::{Deserialize, Serialize};

use crate::engine::allowance::Ceiling;
use crate::kernel::MemoryId;
use crate::kernel::intern::{Interner, content_hash};

use xxhash_rust::xxh3::xxh3_128;

/// Bytes of a page: small, so that a message which touches a few words of stack and heap stores little.
pub const PAGE: usize = 256;
/// log2 of [`PAGE`].
pub const PAGE_BITS: u32 = 8;
/// Bytes of a wasm page.
pub const WASM_PAGE: usize = 65_536;
/// Bytes that a page takes where it is kept: with its hash, its places in tables that may be half empty, its share of a
/// node.
pub const PAGE_COST: u64 = 400;

const FAN: usize = 32;
const FAN_BITS: u32 = 5;
type Page = [u8; PAGE];
type Node = [u32; FAN];

/// Root of a tree of pages. All-zero pages and nodes have id 0 at every level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Root {
    node: u32,
    levels: u32,
}

impl Root {
    /// A memory of zeros, of so many wasm pages: a tree of as few levels as hold it, so that memories of one size and
    /// contents have one root.
    pub fn zero(wasm_pages: u64) -> Root {
        let pages = wasm_pages * (WASM_PAGE / PAGE) as u64;
        let mut levels = 1;
        while pages > 1 << (FAN_BITS * levels) {
            levels += 1;
        }
        Root { node: 0, levels }
    }

    fn holds(self, at: u64) -> bool {
        at >> (FAN_BITS * self.levels) == 0
    }
}

/// All that a guest keeps between two messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Memory {
    /// Number of the module among those of the guest; `None` if the canister is empty.
    pub module: Option<u16>,
    /// Size of the heap in wasm pages.
    pub heap_pages: u64,
    /// Contents of the heap.
    pub heap: Root,
    /// Size of stable memory in wasm pages.
    pub stable_pages: u64,
    /// Contents of stable memory.
    pub stable: Root,
    /// Mutable globals in order, as bits.
    pub globals: Vec<u128>,
}

impl Memory {
    /// A canister without a module.
    pub fn empty() -> Memory {
        let (heap, stable) = (Root::zero(0), Root::zero(0));
        Memory { module: None, heap_pages: 0, heap, stable_pages: 0, stable, globals: Vec::new() }
    }
}

/// The store of one guest.
pub struct Store {
    pages: Interner<Page>,
    nodes: Interner<Node>,
    memories: Interner<Memory>,
    ceiling: Ceiling,
}

impl Store {
    /// A store that knows the page and the node of zeros.
    pub fn new(ceiling: Ceiling) -> Store {
        let (pages, nodes, memories) = Default::default();
        let store = Store { pages, nodes, memories, ceiling };
        assert_eq!(store.intern_page(&[0; PAGE]), 0, "bug in canloom: the first page is zero");
        assert_eq!(store.intern_node(&[0; FAN]), 0, "bug in canloom: the first node is zero");
        store
    }

    /// The id of a state.
    pub fn intern(&self, memory: Memory) -> MemoryId {
        MemoryId(self.memories.intern(memory))
    }

    /// The state of an id.
    pub fn memory(&self, id: MemoryId) -> &Memory {
        self.memories.value(id.0)
    }

    /// Number of distinct states, pages and nodes.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.memories.count(), self.pages.count(), self.nodes.count())
    }

    /// The id of a page with these contents.
    pub fn intern_page(&self, bytes: &[u8; PAGE]) -> u32 {
        let hash = xxh3_128(bytes);
        let own = |bytes: &[u8; PAGE]| {
            self.ceiling.keep_page(PAGE_COST);
            *bytes
        };
        self.pages.intern_ref(bytes, hash, own, |page, bytes| page == bytes)
    }

    fn intern_node(&self, node: &Node) -> u32 {
        self.nodes.intern_ref(node, node_hash(node), |node| *node, |kept, node| kept == node)
    }

    /// Contents of a page.
    pub fn page(&self, id: u32) -> &[u8; PAGE] {
        self.pages.value(id)
    }

    /// Id of the page at a position.
    pub fn page_at(&self, root: Root, at: u64) -> u32 {
        if !root.holds(at) {
            return 0;
        }
        let mut node = root.node;
        for level in (0..root.levels).rev() {
            if node == 0 {
                return 0;
            }
            node = self.nodes.value(node)[slot(at, level)];
        }
        node
    }

    /// The same memory after it has grown to so many wasm pages.
    pub fn grown(&self, root: Root, wasm_pages: u64) -> Root {
        let Root { mut node, .. } = root;
        let levels = Root::zero(wasm_pages).levels;
        for _ in root.levels..levels {
            if node != 0 {
                let mut above = [0; FAN];
                above[0] = node;
                node = self.intern_node(&above);
            }
        }
        Root { node, levels: levels.max(root.levels) }
    }

    /// The tree with some pages replaced; `changes` are sorted by position and lie inside.
    pub fn replace(&self, root: Root, changes: &[(u64, u32)]) -> Root {
        if changes.is_empty() {
            return root;
        }
        assert!(root.holds(changes[changes.len() - 1].0), "bug in canloom: a page beyond the end of a memory");
        Root { node: self.replace_below(root.node, root.levels - 1, changes), levels: root.levels }
    }

    fn replace_below(&self, node: u32, level: u32, changes: &[(u64, u32)]) -> u32 {
        let mut children = *self.nodes.value(node);
        let mut rest = changes;
        while let Some(&(first, page)) = rest.first() {
            let child = slot(first, level);
            if level == 0 {
                children[child] = page;
                rest = &rest[1..];
                continue;
            }
            let same = rest.partition_point(|&(at, _)| at >> (FAN_BITS * level) == first >> (FAN_BITS * level));
            let (below, after) = rest.split_at(same);
            children[child] = self.replace_below(children[child], level - 1, below);
            rest = after;
        }
        self.intern_node(&children)
    }

    /// Calls `visit(position, page in b)` for each page in which two memories differ, in order; beyond its end a memory is
    /// zero.
    pub fn difference(&self, a: Root, b: Root, visit: &mut dyn FnMut(u64, u32)) {
        if a.levels == b.levels {
            return self.difference_below(a.node, b.node, a.levels, 0, visit);
        }
        // The smaller memory is the first child of one that is as large as the other.
        let levels = a.levels.max(b.levels) - 1;
        let children = |root: Root| {
            let mut first = [0; FAN];
            first[0] = root.node;
            if root.levels > levels { (*self.nodes.value(root.node), levels) } else { (first, root.levels) }
        };
        let ((left, a_levels), (right, b_levels)) = (children(a), children(b));
        let (a, b) = (Root { node: left[0], levels: a_levels }, Root { node: right[0], levels: b_levels });
        self.difference(a, b, visit);
        for child in 1..FAN {
            self.difference_below(left[child], right[child], levels, child as u64, visit);
        }
    }

    fn difference_below(&self, a: u32, b: u32, levels: u32, base: u64, visit: &mut dyn FnMut(u64, u32)) {
        if a == b {
            return;
        }
        if levels == 0 {
            return visit(base, b);
        }
        let (left, right) = (self.nodes.value(a), self.nodes.value(b));
        for child in 0..FAN {
            if left[child] != right[child] {
                let base = (base << FAN_BITS) | child as u64;
                self.difference_below(left[child], right[child], levels - 1, base, visit);
            }
        }
    }

    /// Hash of a state's contents, the same in every run.
    pub fn fingerprint(&self, id: MemoryId) -> u128 {
        let memory = self.memory(id);
        let mut parts = vec![u128::from(memory.heap_pages), u128::from(memory.stable_pages)];
        parts.extend(&memory.globals);
        for root in [memory.heap, memory.stable] {
            self.difference(Root { node: 0, ..root }, root, &mut |at, page| {
                parts.push(u128::from(at));
                parts.push(xxh3_128(self.page(page)));
            });
            // Where the pages of this memory end.
            parts.push(parts.len() as u128);
        }
        content_hash(&parts)
    }
}

fn node_hash(node: &Node) -> u128 {
    let mut bytes = [0; FAN * 4];
    for (to, from) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(node) {
        *to = from.to_le_bytes();
    }
    xxh3_128(&bytes)
}

fn slot(at: u64, level: u32) -> usize {
    (at >> (FAN_BITS * level)) as usize & (FAN - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_tree_holds_what_was_put_in_and_differences_are_exact(
            first in prop::collection::btree_map(0u64..40_000_000, 0u8..4, 0..40),
            second in prop::collection::btree_map(0u64..40_000_000, 0u8..4, 0..40),
        ) {
            let store = Store::new(Ceiling::default());
            let put = |root, pages: &BTreeMap<u64, u8>| {
                let changes: Vec<(u64, u32)> =
                    pages.iter().map(|(&at, &fill)| (at, store.intern_page(&[fill; PAGE]))).collect();
                store.replace(root, &changes)
            };
            let a = put(Root::zero(160_000), &first);
            let b = put(a, &second);
            let mut expected = first.clone();
            expected.extend(&second);
            for (&at, &fill) in &expected {
                prop_assert_eq!(store.page(store.page_at(b, at))[7], fill);
            }
            let mut seen = Vec::new();
            store.difference(a, b, &mut |at, page| seen.push((at, store.page(page)[0])));
            let wanted: Vec<(u64, u8)> = expected
                .iter()
                .map(|(&at, &fill)| (at, fill))
                .filter(|&(at, fill)| first.get(&at).copied().unwrap_or(0) != fill)
                .collect();
            prop_assert_eq!(seen, wanted);
            // The same contents by another way are the same tree.
            let changes: Vec<(u64, u32)> =
                expected.iter().map(|(&at, &fill)| (at, store.intern_page(&[fill; PAGE]))).collect();
            prop_assert_eq!(store.replace(Root::zero(160_000), &changes), b);
        }

        #[test]
        fn memory_that_has_grown_holds_what_it_held_and_is_the_one_that_was_as_large_from_the_start(
            pages in prop::collection::btree_map(0u64..256, 1u8..4, 0..20),
            later in prop::collection::btree_map(0u64..3_000, 1u8..4, 0..20),
        ) {
            let store = Store::new(Ceiling::default());
            let changes = |pages: &BTreeMap<u64, u8>| -> Vec<(u64, u32)> {
                pages.iter().map(|(&at, &fill)| (at, store.intern_page(&[fill; PAGE]))).collect()
            };
            let small = store.replace(Root::zero(1), &changes(&pages));
            for wasm_pages in [1u64, 4, 5, 128, 129, 8_192_000] {
                let grown = store.grown(small, wasm_pages);
                prop_assert_eq!(grown, store.replace(Root::zero(wasm_pages), &changes(&pages)));
                let later: BTreeMap<u64, u8> = later.range(..wasm_pages * 256).map(|(&at, &fill)| (at, fill)).collect();
                let other = store.replace(grown, &changes(&later));
                // Differences of memories of two sizes, both ways.
                let expected: Vec<(u64, u8)> =
                    later.iter().filter(|(at, fill)| pages.get(at) != Some(fill)).map(|(&at, &fill)| (at, fill)).collect();
                let mut seen = Vec::new();
                store.difference(small, other, &mut |at, page| seen.push((at, store.page(page)[0])));
                prop_assert_eq!(&seen, &expected);
                let mut back = Vec::new();
                store.difference(other, small, &mut |at, page| back.push((at, store.page(page)[0])));
                let before = |at: &u64| pages.get(at).copied().unwrap_or(0);
                let expected: Vec<(u64, u8)> = expected.iter().map(|(at, _)| (*at, before(at))).collect();
                prop_assert_eq!(back, expected);
                prop_assert_eq!(store.page_at(small, wasm_pages * 256 + 2_000), 0);
            }
        }
    }
}
