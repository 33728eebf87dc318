//! The content of a linear memory as a value: every byte of it, kept in chunks so that a copy is cheap.

use std::rc::Rc;

const CHUNK: usize = 4096;
/// The size of a page of wasm.
pub const PAGE: usize = 65536;

/// All bytes of a memory. A chunk of zeros only is kept as none.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    chunks: Vec<Option<Rc<[u8]>>>,
}

impl Image {
    /// What is in these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { chunks: Vec::new() }.after(bytes)
    }

    /// What is in `bytes` now; chunks that are as before are shared.
    pub fn after(&self, bytes: &[u8]) -> Self {
        let before = self.chunks.iter().map(Option::as_ref);
        let chunks = bytes
            .chunks_exact(CHUNK)
            .zip(before.chain(std::iter::repeat(None)))
            .map(|(chunk, before)| match before {
                Some(before) if before[..] == *chunk => Some(Rc::clone(before)),
                _ if *chunk == [0; CHUNK] => None,
                _ => Some(Rc::from(chunk)),
            })
            .collect();
        Self { chunks }
    }

    /// How many pages of wasm it has.
    pub fn pages(&self) -> u64 {
        (self.chunks.len() * CHUNK / PAGE) as u64
    }

    /// Writes everything into a memory of this size that holds `fresh`, and zeros beyond it.
    pub fn write_over(&self, fresh: &Image, bytes: &mut [u8]) {
        let fresh = fresh.chunks.iter().map(Option::as_ref);
        let fresh = fresh.chain(std::iter::repeat(None));
        for ((chunk, fresh), bytes) in self.chunks.iter().zip(fresh).zip(bytes.chunks_exact_mut(CHUNK)) {
            match (chunk, fresh) {
                (None, None) => {}
                (Some(chunk), Some(fresh)) if Rc::ptr_eq(chunk, fresh) => {}
                (Some(chunk), _) => bytes.copy_from_slice(chunk),
                (None, Some(_)) => bytes.fill(0),
            }
        }
    }
}

#[test]
fn image_gives_back_what_was_read() {
    let mut bytes = vec![0; PAGE];
    bytes[5000] = 1;
    let fresh = Image::of(&bytes);
    let mut memory = vec![0; 2 * PAGE];
    memory[..PAGE].copy_from_slice(&bytes);
    bytes[5000] = 0;
    bytes.resize(2 * PAGE, 2);
    fresh.after(&bytes).write_over(&fresh, &mut memory);
    assert!(memory == bytes);
}
