//! Who executes: the embedded engine.

pub mod allowance;
pub mod builtin;
pub mod embedded;
pub mod wasm;
