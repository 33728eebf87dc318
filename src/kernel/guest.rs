//! A canister as the kernel sees it: a function from (state, message, environment) to (state, effects).
//!
//! The kernel knows nothing of wasm. A guest interns its own states and hands out [`MemoryId`]s; equal ids are equal
//! states. Whatever a guest reads of the environment it must report in [`Execution::reads`], because executions are
//! memoized on exactly that.

mod env;
mod execution;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::schedule::Task;

pub use env::{Env, Read};
pub use execution::{Compared, Covered, Execution, Frame, Outgoing, Trap};

use super::save::{Part, Reader};

/// Amount of cycles.
pub type Cycles = u128;

/// A state of one guest, interned by that guest. Equal ids of the same guest are equal states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemoryId(pub u32);

/// A function of the guest with the environment it is to be called with: a table index and a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Function {
    /// Index in table 0. Not checked before it is called (semantics 1.2, `call_new`).
    pub index: u64,
    /// Argument of the call.
    pub env: u64,
}

/// What a caller is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Response {
    /// The callee's reply, as bytes.
    Reply(#[serde(with = "super::save::shared_bytes")] Arc<[u8]>),
    /// A reject with its code (1 to 6, interface specification "Reject codes") and text.
    Reject {
        /// 1 SYS_FATAL, 2 SYS_TRANSIENT, 3 DESTINATION_INVALID, 4 CANISTER_REJECT, 5 CANISTER_ERROR, 6 SYS_UNKNOWN.
        code: u8,
        /// The text that the caller sees.
        #[serde(with = "super::save::shared_text")]
        text: Arc<str>,
    },
}

/// What a guest is asked to execute.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// `canister_init`, on the state in which the module was loaded.
    Init {
        /// Candid argument.
        arg: &'a [u8],
    },
    /// An update call, or a query method called in replicated mode (its state changes are discarded).
    Call {
        /// Name of the method.
        method: &'a str,
        /// Candid argument.
        arg: &'a [u8],
    },
    /// A non-replicated query: an observation. State changes are discarded.
    Query {
        /// Name of the method.
        method: &'a str,
        /// Candid argument.
        arg: &'a [u8],
    },
    /// The transform function of an HTTP outcall: a query of the canister itself.
    Transform {
        /// Name of the method.
        method: &'a str,
        /// Candid argument.
        arg: &'a [u8],
    },
    /// `canister_inspect_message`, for a call from outside. State changes are discarded.
    Inspect {
        /// Name of the method that is to be called.
        method: &'a str,
        /// Candid argument.
        arg: &'a [u8],
    },
    /// The callback of a response to a composite query. State changes last until the query is answered.
    CompositeCallback {
        /// The reply or the reject function.
        function: Function,
        /// What the callee answered.
        response: &'a Response,
    },
    /// The cleanup function of a composite query's call whose callback trapped.
    CompositeCleanup {
        /// The function registered by `call_on_cleanup`.
        function: Function,
        /// The response that the callback was for.
        response: &'a Response,
    },
    /// A task that the system runs.
    Task(Task),
    /// `canister_pre_upgrade`.
    PreUpgrade,
    /// `canister_post_upgrade`, on the state in which the new module was loaded.
    PostUpgrade {
        /// Candid argument.
        arg: &'a [u8],
    },
    /// The callback of a response.
    Callback {
        /// The reply or the reject function, as the response asks for.
        function: Function,
        /// What the callee, or the system in its place, answered.
        response: &'a Response,
    },
    /// The cleanup function of a call whose callback trapped.
    Cleanup {
        /// The function registered by `call_on_cleanup`.
        function: Function,
        /// The response that the callback was for: cleanup may ask for its reject code.
        response: &'a Response,
    },
}

/// How a canister gets another module (semantics 7.2, 7.3). The numbers are those that the guest gave its modules.
#[derive(Clone, Copy, Debug)]
pub enum Replacement<'a> {
    /// Stable memory is kept, the heap too if the module wants it.
    Upgrade(Module<'a>),
    /// Nothing is kept.
    Reinstall(Module<'a>),
    /// The module goes, and everything with it.
    Uninstall,
}

/// A module to be installed.
#[derive(Clone, Copy, Debug)]
pub enum Module<'a> {
    /// One that the guest knows by this number.
    Known(u16),
    /// The bytes of one.
    Bytes(&'a [u8]),
}

/// A canister, executing one message at a time.
pub trait Guest: Send {
    /// Runs one message to its end or to its next await, on the given state.
    ///
    /// A trap is a value, not an error.
    ///
    /// # Errors
    /// A text where this guest cannot tell what the IC would do: a system function or a limit it does not offer.
    fn execute(&mut self, memory: MemoryId, input: Input<'_>, env: &Env<'_>) -> Result<Execution, String>;

    /// The same canister for another thread: states have the same ids for both.
    fn fork(&self) -> Box<dyn Guest>;

    /// From now on each call of an execution says which functions were running ([`Outgoing::stack`]), if the guest can tell.
    fn trace(&mut self) {}

    /// Whether the module can see [`Env::instructions`]; if not they are kept out of the world.
    fn sees_instructions(&self, _memory: MemoryId) -> bool {
        false
    }

    /// Whether the module can see [`Env::version`]; if not it is kept out of the world.
    fn sees_version(&self, _memory: MemoryId) -> bool {
        false
    }

    /// Whether the module has an entry point for this task in this state.
    fn runs(&self, _memory: MemoryId, _task: Task) -> bool {
        false
    }

    /// Whether any of the canister's modules has one.
    fn may_run(&self, _task: Task) -> bool {
        false
    }

    /// Whether calls from outside must pass `canister_inspect_message` in this state.
    fn inspects(&self, _memory: MemoryId) -> bool {
        false
    }

    /// The state in which another module finds the canister before any of its code has run.
    ///
    /// # Errors
    /// A text with which the installation is rejected.
    fn replace(&mut self, _memory: MemoryId, _how: Replacement<'_>) -> Result<MemoryId, Trap> {
        Err(Trap { code: 505, text: "a built-in canister has no module to be replaced".to_string() })
    }

    /// SHA-256 of the module in this state; `None` if there is none.
    fn module_hash(&self, _memory: MemoryId) -> Option<Vec<u8>> {
        None
    }

    /// Bytes of the heap in this state.
    fn heap_bytes(&self, _memory: MemoryId) -> u64 {
        0
    }

    /// Bytes of heap and stable memory in this state.
    fn bytes(&self, _memory: MemoryId) -> u64 {
        0
    }

    /// Whether there is no module in this state, so that nothing can run.
    fn is_empty(&self, _memory: MemoryId) -> bool {
        false
    }

    /// Content hash of a state, the same in every run.
    fn fingerprint(&self, memory: MemoryId) -> u128;

    /// How much each of its tables holds; the first are its states.
    fn sizes(&self) -> Vec<u32> {
        Vec::new()
    }

    /// Writes what its tables hold beyond these [`Guest::sizes`].
    ///
    /// # Errors
    /// If this guest cannot.
    fn save(&self, _since: &[u32], _out: &mut Part) -> Result<(), String> {
        Err("its states cannot be saved".to_string())
    }

    /// Reads what [`Guest::save`] wrote, into tables that hold what they held then; every value gets the id that it had.
    ///
    /// # Errors
    /// What is wrong with the bytes. The tables may hold a part of them then.
    fn load(&mut self, _part: &mut Reader<'_>) -> Result<(), String> {
        Err("its states cannot be loaded".to_string())
    }
}
