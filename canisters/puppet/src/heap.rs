//! The heap: a state that is the same bytes whenever it means the same, and room to work that is clean afterwards.
//!
//! ```text
//! __heap_base   4 bytes length   state   room of this execution, handed out from below, given back as zeros
//! ```
//!
//! An allocator with free lists would leave traces of the order in which things came and went, and worlds that mean the
//! same would count as different. Here the state is written out anew when an execution ends. In: the state's bytes.
//! Out: those of the execution before. Left out: freeing during an execution, except of what came last.

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::mem;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const PAGE: usize = 65_536;
/// As many zeros below the stack mean that no call went deeper. No frame here has an unused part that large.
const UNTOUCHED: usize = 2_048;

unsafe extern "C" {
    static __heap_base: u8;
}

struct Room;

#[global_allocator]
static ROOM: Room = Room;
/// Where the next piece of room begins; 0 before the first one of an execution.
static NEXT: AtomicUsize = AtomicUsize::new(0);
/// Where the highest piece so far ended.
static HIGHEST: AtomicUsize = AtomicUsize::new(0);

fn base() -> usize {
    &raw const __heap_base as usize
}

fn state_size() -> usize {
    // SAFETY: these bytes are never handed out; no reference to them is kept.
    unsafe { (base() as *const u32).read_unaligned() as usize }
}

/// What [`keep`] was given last; nothing after an installation.
pub fn kept() -> Vec<u8> {
    let size = state_size();
    // SAFETY: the state lies there, and nobody writes to it before `keep`.
    unsafe { core::slice::from_raw_parts((base() + 4) as *const u8, size) }.to_vec()
}

/// Ends an execution: these bytes are the state, everything else that was written becomes zeros again. No room that was
/// handed out may be used afterwards.
pub fn keep(state: Vec<u8>) {
    let (from, size) = (state.as_ptr(), state.len());
    mem::forget(state);
    let end = base() + 4 + size;
    let highest = HIGHEST.load(Relaxed);
    NEXT.store(0, Relaxed);
    HIGHEST.store(0, Relaxed);
    // SAFETY: all of it lies between the base and the highest piece, since `state` is itself a piece; the ranges of the
    // copy may overlap.
    unsafe {
        core::ptr::copy(from, (base() + 4) as *mut u8, size);
        (base() as *mut u32).write_unaligned(size as u32);
        core::ptr::write_bytes(end as *mut u8, 0, highest.saturating_sub(end));
    }
}

/// Clears what returned calls left on the stack below the caller's frame.
#[inline(never)]
pub fn wipe_stack() {
    let marker = 0_u64;
    let mut at = core::hint::black_box(&raw const marker) as usize & !7;
    let mut zeros = 0;
    while zeros < UNTOUCHED && at > 8 {
        at -= 8;
        let word = at as *mut u64;
        // SAFETY: the stack is the first thing in memory and grows downwards, so nothing that is in use lies below.
        unsafe {
            if word.read_volatile() == 0 {
                zeros += 8;
            } else {
                word.write_volatile(0);
                zeros = 0;
            }
        }
    }
}

// SAFETY: pieces are disjoint, aligned, and inside the memory.
unsafe impl GlobalAlloc for Room {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut next = NEXT.load(Relaxed);
        if next == 0 {
            next = base() + 4 + state_size();
        }
        let start = next.next_multiple_of(layout.align());
        if take(start, layout.size()) { start as *mut u8 } else { core::ptr::null_mut() }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if NEXT.load(Relaxed) == piece as usize + layout.size() {
            NEXT.store(piece as usize, Relaxed);
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if NEXT.load(Relaxed) == piece as usize + layout.size() {
            return if take(piece as usize, size) { piece } else { core::ptr::null_mut() };
        }
        if size <= layout.size() {
            return piece;
        }
        // SAFETY: the alignment is that of a layout; both pieces have at least the old size.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                core::ptr::copy_nonoverlapping(piece, moved, layout.size());
            }
            moved
        }
    }
}

/// Ends the room that is handed out at `start + size`, in a memory that is large enough.
fn take(start: usize, size: usize) -> bool {
    let Some(end) = start.checked_add(size) else { return false };
    let pages = end.div_ceil(PAGE);
    let there = memory_size(0);
    if pages > there && memory_grow(0, pages - there) == usize::MAX {
        return false;
    }
    NEXT.store(end, Relaxed);
    HIGHEST.store(end.max(HIGHEST.load(Relaxed)), Relaxed);
    true
}
