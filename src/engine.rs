//! Who executes: the embedded engine.

pub mod builtin;
pub mod embedded;
pub mod limits;
pub mod wasm;
