//! The handlers of canisters under loom: an exhaustive model of their await points.
//!
//! canloom searches over worlds, with its own rules for which step is legal. This package asks the same question in another
//! way and shares no code with that search: loom enumerates the orders of deliveries, ordinary Rust carries them out. Two
//! explorers that agree on every outcome are hard to fool.
//!
//! ```text
//! Scenario + handlers ─> setting ─> plans ─> loom ─> turns ─> world ─> outcomes, violations, counts
//! ```
//!
//! - `canister`, `loom_host`, `live`: a canister's handlers, and the host they run against
//! - `setting`: the scenario made ready: first states, calls, faults
//! - `tree`, `world`, `legal`: call contexts, queues and the rules of legal steps; `mutation` breaks them on purpose
//! - `plan`: what one call does in its turns, faults included; chosen outside loom
//! - `turn`, `orders`: one execution, turn by turn, and what all of them have in common
//! - `run`: one plan under loom; `explore`: all plans
//! - `findings`, `compare`: what was found, and the comparison with `outcomes.txt`
//! - `samples`: the sample canisters, whose `handlers.rs` are compiled here unchanged
//!
//! Only scenarios, names of steps and outcomes come from `canloom`. The page `docs/model.md` shows how to put handlers of
//! your own under the model.
#![forbid(unsafe_code)]

mod canister;
mod compare;
mod error;
mod explore;
mod findings;
mod legal;
mod live;
mod loom_host;
mod mutation;
mod orders;
mod plan;
mod run;
pub mod samples;
mod setting;
mod tree;
mod turn;
mod world;

#[rustfmt::skip]
#[path = "../../canisters/host.rs"]
pub mod host;
#[rustfmt::skip]
#[path = "../../canisters/icrc1.rs"]
pub mod icrc1;

pub use canister::{Answer, Canister, Message, done, reply};
pub use compare::{Difference, Side, compare, read_outcomes};
pub use error::ModelError;
pub use explore::{Explored, Model};
pub use findings::{Outcomes, Violation};
pub use loom_host::LoomHost;
pub use mutation::Mutation;
pub use run::CALLS_MAX;

/// The page for users; its example is compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/model.md")]
struct Page;
