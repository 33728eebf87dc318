//! Who executes: the embedded engine.

pub mod wasm;
