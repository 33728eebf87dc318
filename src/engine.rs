//! Who executes: the embedded engine.

pub mod allowance;
pub mod builtin;
pub mod embedded;
#[cfg(feature = "pocket-ic")]
pub mod pocket_ic;
pub mod wasm;
