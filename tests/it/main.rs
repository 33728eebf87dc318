//! Tests of the whole, a module per stage.

mod against_brute_force;
mod brute;
mod corpus;
mod interleavings;
mod random_canister;
mod stage;
mod wat_canister;
