//! Stable memory as one execution sees it: the stored tree below, what it wrote above.
//!
//! In: reads and writes of the system API. Out: the pages that were written, for the page store. Nothing is copied before
//! it is touched, so a large stable memory costs nothing to restore.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pages::{PAGE, PAGE_BITS, Root, Store as PageStore, WASM_PAGE};

/// Wasm pages of stable memory that the IC offers: 500 GiB. Only what is written takes memory here.
const STABLE_PAGES_MAX: u64 = 8_192_000;

/// Bytes that a page takes until the execution ends: itself and its place in the map.
const WRITTEN_COST: u64 = PAGE as u64 + 64;

/// Stable memory as this execution sees it: the stored tree below, what it wrote above.
#[derive(Default)]
pub struct Stable {
    pages: u64,
    root: Option<Root>,
    written: BTreeMap<u64, Box<[u8; PAGE]>>,
    /// Where stored pages are found.
    store: Option<Arc<PageStore>>,
}

impl Stable {
    /// Says where stored pages are found.
    pub fn attach(&mut self, store: Arc<PageStore>) {
        self.store = Some(store);
    }

    /// Starts from a stored memory.
    pub fn reset(&mut self, (pages, root): (u64, Root)) {
        self.pages = pages;
        self.root = Some(root);
        self.written.clear();
    }

    /// Forgets what was written, once it is in the page store or given up.
    pub fn forget(&mut self) {
        self.written.clear();
    }

    /// Size in wasm pages.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Grows; the old size, or `None` where that is refused.
    pub fn grow(&mut self, more: u64) -> Option<u64> {
        let old = self.pages;
        let new = old.checked_add(more).filter(|&new| new <= STABLE_PAGES_MAX)?;
        self.pages = new;
        Some(old)
    }

    /// Whether a range lies inside.
    pub fn holds(&self, offset: u64, size: u64) -> bool {
        offset.checked_add(size).is_some_and(|end| end <= self.pages * WASM_PAGE as u64)
    }

    /// Reads a range that lies inside.
    pub fn read(&self, offset: u64, out: &mut [u8]) {
        let mut done = 0;
        while done < out.len() {
            let at = offset + done as u64;
            let within = at as usize % PAGE;
            let n = (PAGE - within).min(out.len() - done);
            self.with_page(at >> PAGE_BITS, |page| out[done..done + n].copy_from_slice(&page[within..within + n]));
            done += n;
        }
    }

    /// Writes a range that lies inside.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let within = at as usize % PAGE;
            let n = (PAGE - within).min(bytes.len() - done);
            let position = at >> PAGE_BITS;
            if !self.written.contains_key(&position) {
                let mut copy = Box::new([0; PAGE]);
                self.with_page(position, |page| copy.copy_from_slice(page));
                self.written.insert(position, copy);
            }
            let page = self.written.get_mut(&position).expect("bug in canloom: the page was just put there");
            page[within..within + n].copy_from_slice(&bytes[done..done + n]);
            done += n;
        }
    }

    /// Bytes that a write of this range will take which the pages written so far do not take yet.
    pub fn cost(&self, offset: u64, size: usize) -> u64 {
        let pages = (offset >> PAGE_BITS)..=((offset + size as u64).saturating_sub(1) >> PAGE_BITS);
        pages.filter(|at| !self.written.contains_key(at)).count() as u64 * WRITTEN_COST
    }

    /// Pages written, by position.
    pub fn written(&self) -> impl ExactSizeIterator<Item = (u64, &[u8; PAGE])> {
        self.written.iter().map(|(&at, page)| (at, page.as_ref()))
    }

    fn with_page(&self, position: u64, mut f: impl FnMut(&[u8; PAGE])) {
        if let Some(page) = self.written.get(&position) {
            return f(page);
        }
        let (Some(store), Some(root)) = (&self.store, self.root) else { return f(&[0; PAGE]) };
        f(store.page(store.page_at(root, position)));
    }
}
