//! Pages, nodes and states as bytes, and back under the ids that they had.
//!
//! A page is a mask of its words that are not zero, and those words; a node likewise with its children. What is read is
//! checked: a tree's nodes may refer only to what is there, at the level where it is.

use xxhash_rust::xxh3::xxh3_128;

use super::{FAN, Memory, Node, PAGE, PAGE_COST, Page, Root, Store, node_hash};
use crate::kernel::save::{Part, Reader, load_with, save_with, twice};

/// Bytes of a word of a page.
const WORD: usize = 8;
/// Wasm pages of the largest heap, of a module with 64-bit addresses, and of the largest stable memory.
const HEAP_PAGES_MAX: u64 = 1 << 17;
const STABLE_PAGES_MAX: u64 = 1 << 23;

impl Store {
    /// Writes what has come since there were so many states, pages and nodes.
    pub fn save(&self, [memories, pages, nodes]: [u32; 3], out: &mut Part) {
        save_with(&self.pages, pages, out, put_page);
        save_with(&self.nodes, nodes, out, put_node);
        save_with(&self.memories, memories, out, |memory, out| out.put(memory));
    }

    /// Reads what [`Store::save`] wrote; `globals` says how many of them a state has, by its module.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn load(&self, part: &mut Reader<'_>, globals: impl Fn(Option<u16>) -> Option<usize>) -> Result<(), String> {
        let pages: u32 = part.take()?;
        for _ in 0..pages {
            let page = take_page(part)?;
            self.ceiling.keep_page(PAGE_COST);
            self.pages.restore_hashed(page, xxh3_128(&page)).ok_or_else(twice)?;
        }
        let nodes: u32 = part.take()?;
        for _ in 0..nodes {
            let node = take_node(part)?;
            self.nodes.restore_hashed(node, node_hash(&node)).ok_or_else(twice)?;
        }
        let mut checked = vec![0; self.nodes.count()];
        load_with(&self.memories, part, |part| {
            let memory: Memory = part.take()?;
            let holds = memory.heap_pages <= HEAP_PAGES_MAX
                && memory.stable_pages <= STABLE_PAGES_MAX
                && memory.heap.levels == Root::zero(memory.heap_pages).levels
                && memory.stable.levels == Root::zero(memory.stable_pages).levels
                && globals(memory.module) == Some(memory.globals.len())
                && [memory.heap, memory.stable].iter().all(|root| self.is_whole(*root, &mut checked));
            if holds { Ok(memory) } else { Err("a state refers to what there is not".to_string()) }
        })
    }

    /// Whether all below a root is here. `checked` notes for each node at which levels it was found whole, a bit each.
    fn is_whole(&self, root: Root, checked: &mut [u8]) -> bool {
        self.is_whole_below(root.node, root.levels, checked)
    }

    fn is_whole_below(&self, at: u32, levels: u32, checked: &mut [u8]) -> bool {
        if levels == 0 {
            return (at as usize) < self.pages.count();
        }
        let Some(done) = checked.get_mut(at as usize) else { return false };
        if *done & 1 << levels != 0 {
            return true;
        }
        *done |= 1 << levels;
        self.nodes.value(at).iter().all(|&child| self.is_whole_below(child, levels - 1, checked))
    }
}

fn put_page(page: &Page, out: &mut Part) {
    let words = page.as_chunks::<WORD>().0;
    let mask = mask(words, &[0; WORD]);
    out.put_array(&mask.to_le_bytes());
    words.iter().filter(|word| **word != [0; WORD]).for_each(|word| out.put_array(word));
}

fn take_page(part: &mut Reader<'_>) -> Result<Page, String> {
    let mask = take_mask(part)?;
    let mut page = [0; PAGE];
    for (at, word) in page.as_chunks_mut::<WORD>().0.iter_mut().enumerate() {
        if mask & 1 << at != 0 {
            word.copy_from_slice(part.take_array(WORD)?);
        }
    }
    Ok(page)
}

fn put_node(node: &Node, out: &mut Part) {
    out.put_array(&mask(node, &0).to_le_bytes());
    node.iter().filter(|child| **child != 0).for_each(|child| out.put(child));
}

fn take_node(part: &mut Reader<'_>) -> Result<Node, String> {
    let mask = take_mask(part)?;
    let mut node = [0; FAN];
    for (at, child) in node.iter_mut().enumerate() {
        if mask & 1 << at != 0 {
            *child = part.take()?;
        }
    }
    Ok(node)
}

/// Which of 32 parts are not zero.
fn mask<T: PartialEq>(parts: &[T], zero: &T) -> u32 {
    parts.iter().enumerate().filter(|(_, part)| *part != zero).map(|(at, _)| 1 << at).sum()
}

fn take_mask(part: &mut Reader<'_>) -> Result<u32, String> {
    let bytes = part.take_array(4)?;
    Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::allowance::Ceiling;
    use crate::kernel::MemoryId;

    /// A store with a state whose heap holds these pages.
    fn filled(pages: &[(u64, u8)]) -> (Store, MemoryId) {
        let store = Store::new(Ceiling::default());
        let changes: Vec<(u64, u32)> = pages.iter().map(|&(at, fill)| (at, store.intern_page(&[fill; PAGE]))).collect();
        let heap = store.replace(Root::zero(9), &changes);
        let memory = store.intern(Memory { heap, heap_pages: 9, globals: vec![7, u128::MAX], ..Memory::empty() });
        (store, memory)
    }

    const NONE: [u32; 3] = [0, 1, 1];

    #[test]
    fn a_store_comes_back_with_its_ids() {
        let (store, memory) = filled(&[(0, 1), (1000, 2), (1001, 1)]);
        let mut part = Part::default();
        store.save(NONE, &mut part);
        let other = Store::new(Ceiling::default());
        other.load(&mut Reader::new(part.as_bytes()), |_| Some(2)).expect("it is whole");
        assert_eq!((other.sizes(), other.memory(memory)), (store.sizes(), store.memory(memory)));
        assert_eq!(other.fingerprint(memory), store.fingerprint(memory));
        assert_eq!(other.intern_page(&[2; PAGE]), store.intern_page(&[2; PAGE]));
    }

    #[test]
    fn bytes_that_were_cut_or_changed_are_an_error_or_a_whole_store_but_no_panic() {
        let (store, memory) = filled(&[(3, 1), (70, 2)]);
        let mut part = Part::default();
        store.save(NONE, &mut part);
        let load = |bytes: &[u8]| {
            let other = Store::new(Ceiling::default());
            let loaded = other.load(&mut Reader::new(bytes), |_| Some(2));
            if loaded.is_ok() && other.sizes().0 > memory.0 as usize {
                other.fingerprint(memory);
            }
            loaded
        };
        let bytes = part.as_bytes();
        for end in 0..bytes.len() {
            assert!(load(&bytes[..end]).is_err(), "{end}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.to_vec();
                changed[at] ^= 1 << bit;
                let _ = load(&changed);
            }
        }
    }
}
