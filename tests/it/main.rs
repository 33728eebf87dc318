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
#[cfg(unix)]
mod endurance;
#[cfg(target_os = "linux")]
mod errors;
mod export;
mod fixtures;
#[cfg(feature = "pocket-ic")]
mod following;
mod fuzz;
mod fuzz_lines;
mod generated;
mod getters;
mod ghosts;
mod hostile;
mod html_report;
mod init;
mod interleavings;
mod oracles;
mod plain_pair;
mod play;
#[cfg(all(feature = "pocket-ic", unix))]
mod pocket_ic_campaign;
#[cfg(all(feature = "pocket-ic", unix))]
mod pocket_ic_confirm;
#[cfg(all(feature = "pocket-ic", unix))]
mod pocket_ic_counter;
#[cfg(all(feature = "pocket-ic", unix))]
mod pocket_ic_puppet;
#[cfg(all(feature = "pocket-ic", unix))]
mod pocket_ic_server;
mod puppet;
mod puppet_programs;
mod random_canister;
mod refusals;
mod rounds;
mod rust_api;
mod sample_timers;
mod sampling;
mod self_trust;
mod semantics;
mod shrinking;
mod stage;
mod step_invariants;
mod wat_canister;
mod world_equality;
mod zoo;
