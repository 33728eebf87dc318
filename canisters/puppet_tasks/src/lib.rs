//! The puppet with three more entry points, each running the program that was stored for it.
//!
//! A package of its own, because a module that exports `canister_heartbeat` gets heartbeats whether a test wants them or
//! not, and one that exports `canister_inspect_message` is asked about every message.

#![cfg_attr(target_arch = "wasm32", no_std)]
#![cfg(target_arch = "wasm32")]

extern crate alloc;

#[path = "../../puppet/src/entry.rs"]
pub mod entry;
#[path = "../../puppet/src/heap.rs"]
mod heap;
#[path = "../../puppet/src/ic0.rs"]
pub mod ic0;
#[path = "../../puppet/src/machine.rs"]
pub mod machine;
#[path = "../../puppet/src/op.rs"]
pub mod op;
#[path = "../../puppet/src/state.rs"]
pub mod state;
#[path = "../../puppet/src/system.rs"]
pub mod system;

use op::Hook;
use state::State;

#[unsafe(export_name = "canister_heartbeat")]
extern "C" fn canister_heartbeat() {
    entry::hook(Hook::Heartbeat);
}

#[unsafe(export_name = "canister_inspect_message")]
extern "C" fn canister_inspect_message() {
    // Without a program everything is let in, as in a canister without this entry point.
    if State::decode(&heap::kept()).hooks[Hook::Inspect as usize].is_empty() {
        ic0::accept_message();
    } else {
        entry::hook(Hook::Inspect);
    }
}

#[unsafe(export_name = "canister_on_low_wasm_memory")]
extern "C" fn canister_on_low_wasm_memory() {
    entry::hook(Hook::LowMemory);
}
