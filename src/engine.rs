//! Who executes: the embedded engine, and PocketIC.

pub mod allowance;
pub mod builtin;
pub mod embedded;
pub mod interrupt;
#[cfg(feature = "pocket-ic")]
pub mod pocket_ic;
pub mod wasm;
