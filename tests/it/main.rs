//! Tests of the whole, a module per stage.

mod against_brute_force;
mod brute;
mod builtin;
mod cli;
mod corpus;
mod docs;
mod interleavings;
mod play;
mod random_canister;
mod refusals;
mod sample_timers;
mod semantics;
mod stage;
mod wat_canister;
mod world_equality;
