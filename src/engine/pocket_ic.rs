//! A PocketIC server and what it runs: the replica's own code, round by round.
//!
//! In: a server of PocketIC 16 on this machine. Out: one replica with its canisters, as functions that neither panic nor hang. Also a
//! scenario on it, driven one operation at a time. Which operations is for others to choose; a server is not downloaded here.
//!
//! ```text
//! held        a program that ends with us      server       found, checked, started
//! client      calls of the client crate, on a thread of their own
//! management  calls of the management canister     replica   one instance
//! stand_in    a canister that the driver plays     hog       one that fills a round
//! stage       a scenario on a replica              drive     what a script does there, followed by the embedded engine
//! ```

pub mod drive;
pub mod hog;
pub mod management;
pub mod replica;
pub mod server;
pub mod stage;
pub mod stand_in;

mod client;
mod held;

pub use management::Management;
pub use replica::{Outcall, Rejected, Replica, Response, Submitted};
pub use server::{Program, Server, ServerError};

/// The client or the server failed; nothing is known of what the replica did. One line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("PocketIC: {0}")]
pub struct ReplicaError(pub String);
