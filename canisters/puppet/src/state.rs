//! What of a puppet outlives a message, as a value and as bytes.
//!
//! ```text
//! 16 bytes a cell   bytes: the global   bytes: a program a hook   waiting entries: 3 x bytes, or the one word NONE
//! ```
//!
//! Bytes have their length before them, as 4 bytes. Free waiting entries at the end are left out.

use alloc::vec::Vec;

use super::machine::fail;
use super::op::{CELLS, HOOKS};

const NONE: u32 = u32::MAX;

/// Which program of a waiting entry.
#[derive(Clone, Copy)]
pub enum Part {
    /// For a reply.
    Reply,
    /// For a reject.
    Reject,
    /// For a callback that trapped.
    Cleanup,
}

/// The programs that wait for a response, by [`Part`].
pub type Waiting = [Vec<u8>; 3];

/// All of it.
#[derive(Default)]
pub struct State {
    /// The numbered cells.
    pub cells: [u128; CELLS],
    /// The byte string.
    pub global: Vec<u8>,
    /// The programs of the hooks; none is empty.
    pub hooks: [Vec<u8>; HOOKS],
    waiting: Vec<Option<Waiting>>,
}

impl State {
    /// Reads what [`State::encode`] wrote; no bytes are the first state.
    pub fn decode(mut bytes: &[u8]) -> State {
        let mut state = State::default();
        if bytes.is_empty() {
            return state;
        }
        for cell in &mut state.cells {
            let (number, rest) = bytes.split_at(16);
            *cell = number.iter().rev().fold(0, |number, &byte| number << 8 | u128::from(byte));
            bytes = rest;
        }
        let (bytes, known) = (&mut bytes, "puppet: a bug: the state is broken");
        state.global = string(bytes).unwrap_or_else(|| fail(known));
        for hook in &mut state.hooks {
            *hook = string(bytes).unwrap_or_else(|| fail(known));
        }
        while !bytes.is_empty() {
            let on_reply = string(bytes);
            state.waiting.push(on_reply.map(|on_reply| {
                let mut more = || string(bytes).unwrap_or_else(|| fail(known));
                [on_reply, more(), more()]
            }));
        }
        state
    }

    /// Writes it down.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        for cell in &self.cells {
            bytes.extend_from_slice(&cell.to_le_bytes());
        }
        push(&mut bytes, &self.global);
        for hook in &self.hooks {
            push(&mut bytes, hook);
        }
        let used = self.waiting.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        for waiting in &self.waiting[..used] {
            match waiting {
                None => bytes.extend_from_slice(&NONE.to_le_bytes()),
                Some(programs) => programs.iter().for_each(|program| push(&mut bytes, program)),
            }
        }
        bytes
    }

    /// Takes the lowest free entry.
    pub fn wait(&mut self, waiting: Waiting) -> usize {
        match self.waiting.iter().position(Option::is_none) {
            Some(free) => {
                self.waiting[free] = Some(waiting);
                free
            }
            None => {
                self.waiting.push(Some(waiting));
                self.waiting.len() - 1
            }
        }
    }

    /// Sets the cleanup program of an entry.
    pub fn set_cleanup(&mut self, env: usize, program: Vec<u8>) {
        match self.waiting.get_mut(env) {
            Some(Some(waiting)) => waiting[Part::Cleanup as usize] = program,
            _ => fail("puppet: nothing waits under this number"),
        }
    }

    /// Frees an entry; traps if there is none of this number.
    pub fn take_waiting(&mut self, env: usize) -> Waiting {
        let waiting = self.waiting.get_mut(env).and_then(Option::take);
        waiting.unwrap_or_else(|| fail("puppet: nothing waits under this number"))
    }
}

fn push(bytes: &mut Vec<u8>, string: &[u8]) {
    bytes.extend_from_slice(&(string.len() as u32).to_le_bytes());
    bytes.extend_from_slice(string);
}

fn string(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let (size, rest) = bytes.split_at(4);
    let size = size.iter().rev().fold(0, |size, &byte| size << 8 | u32::from(byte));
    let (string, rest) = if size == NONE {
        (None, rest)
    } else {
        let (string, rest) = rest.split_at(size as usize);
        (Some(string.to_vec()), rest)
    };
    *bytes = rest;
    string
}
