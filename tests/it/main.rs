//! Tests of the whole, a module per stage.

mod against_brute_force;
mod bench_comparison;
mod bounds;
mod brute;
mod builtin;
mod checkpoint;
mod cli;
mod corners;
mod corpus;
mod divided;
mod docs;
mod fixtures;
mod hostile;
mod interleavings;
mod plain_pair;
mod play;
mod puppet;
mod puppet_programs;
mod random_canister;
mod refusals;
mod sample_timers;
mod sampling;
mod semantics;
mod stage;
mod wat_canister;
mod world_equality;
