//! Tests of the whole, a module per stage.

mod brute;
mod interleavings;
mod stage;
mod wat_canister;
