//! Messages: what a canister executes, with everything interned.

use serde::{Deserialize, Serialize};

use crate::schedule::Task;

use super::guest::Function;

/// A message to execute, interned. Parts are ids so that building one costs no copy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// A call of a method.
    Call {
        /// Interned name.
        method: u32,
        /// Interned argument.
        arg: u32,
    },
    /// A non-replicated query: an observation.
    Query {
        /// Interned name.
        method: u32,
        /// Interned argument.
        arg: u32,
    },
    /// A response, with the function it runs.
    Callback {
        /// Reply or reject function.
        function: Function,
        /// Interned response.
        response: u32,
    },
    /// A response to a request of a composite query.
    CompositeCallback {
        /// Reply or reject function.
        function: Function,
        /// Interned response.
        response: u32,
    },
    /// Its cleanup.
    CompositeCleanup {
        /// The function.
        function: Function,
        /// Interned response that the callback was for.
        response: u32,
    },
    /// A task that the system runs.
    Task(Task),
    /// The transform function of an HTTP outcall, a query of the canister itself.
    Transform {
        /// Interned name.
        method: u32,
        /// Interned argument.
        arg: u32,
    },
    /// `canister_inspect_message`, for a call.
    Inspect {
        /// Interned name.
        method: u32,
        /// Interned argument.
        arg: u32,
    },
    /// `canister_init`.
    Init {
        /// Interned argument.
        arg: u32,
    },
    /// `canister_pre_upgrade`.
    PreUpgrade,
    /// `canister_post_upgrade`.
    PostUpgrade {
        /// Interned argument.
        arg: u32,
    },
    /// The cleanup function of a call whose callback trapped.
    Cleanup {
        /// The function.
        function: Function,
        /// Interned response that the callback was for.
        response: u32,
    },
    /// An update call that observes: what it does to the canister is dropped.
    Getter {
        /// Interned name.
        method: u32,
        /// Interned argument.
        arg: u32,
    },
}
