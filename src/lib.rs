//! canloom finds, explains and regression-tests await-point bugs in Internet Computer canisters, on their real wasm.
#![forbid(unsafe_code)]
#[cfg(feature = "pocket-ic")]
pub mod campaign;
#[cfg(feature = "pocket-ic")]
pub mod confirm;
pub mod counterexample;
pub mod engine;
pub mod explore;
pub mod export;
pub mod follow;
pub mod fuzz;
pub mod init;
pub mod invariant;
pub mod kernel;
pub mod oracle;
pub mod portfolio;
pub mod report;
pub mod rounds;
pub mod sample;
pub mod scenario;
pub mod schedule;
pub mod scheduler;
pub mod script;
pub mod testing;
pub mod trace;
