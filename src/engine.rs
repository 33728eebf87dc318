//! Who executes: the embedded engine.

pub mod embedded;
pub mod wasm;
