//! A canister that does what the program says which it is sent: calls, replies, traps, in any order.
//!
//! `run` (update), `query` (query), `composite` (composite query), installation and `canister_post_upgrade` run their
//! argument: a program, or the Candid encoding of one blob that is a program; the Candid encoding of nothing is the
//! empty program. `canister_global_timer` and `canister_pre_upgrade` run a program that [`op::Op::SetHook`] stored, if any;
//! package `puppet_tasks` has the entry points that a module better lacks unless a test is about them.
//!
//! # Programs
//!
//! A program is a sequence of operations, each a byte and what belongs to it; [`op`] is the list. They work on a stack of
//! numbers (128 bits, unsigned, wrapping) and byte strings. Numbers inside a program are unsigned LEB128, byte strings
//! have their length before them. There are no jumps but forward ones, and programs that run programs nest at most 32
//! deep, so every program comes to its end: the last byte, or `End`. What is no program traps with a text that begins
//! with `puppet: `: an unknown operation, a number where bytes are needed, an empty stack.
//!
//! ```text
//! 01 05  31 00             Number 5, SetCell 0: cell 0 becomes 5
//! 30 00  22 02  49 20      Cell 0, SkipIfZero 2, Reply, End: replies unless cell 0 is 0, and ends
//! ```
//!
//! # State
//!
//! [`op::CELLS`] numbers, one byte string, a program for each hook, and the programs that wait for a response. An
//! `env` of a callback is the number of a waiting entry, from 0, the lowest one that is free; it is free again when its
//! callback or its cleanup begins, or when the call is not performed. A trap without cleanup keeps it for ever, as
//! leaked memory. An upgrade forgets all of it; stable memory is the programs' business.
//!
//! Equal states have equal bytes: nothing else is left in the memory (see `heap`).

#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

extern crate alloc;

pub mod entry;
mod heap;
pub mod ic0;
pub mod machine;
pub mod op;
pub mod state;
pub mod system;
