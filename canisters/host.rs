//! What a canister's handlers need from the world around them.
//!
//! The handlers of every sample canister are generic over [`Host`]. In the wasm module the host is the
//! Internet Computer (`ic.rs`); in tests and in the model under loom it is a few lines of ordinary Rust.
//! So the code that is explored as wasm and the code that is modelled are the same text.
//!
//! Left out on purpose: cycles, randomness, certified data. No sample needs them.

use candid::Principal;
use std::fmt;
use std::future::Future;

/// The world as one canister sees it: its own state, the other canisters, the clock.
pub trait Host {
    /// The state of the canister, committed at every await and at the end of a message.
    type State;

    /// Gives access to the state. Access ends with `access`, so no borrow can live across an await.
    fn state<R>(&self, access: impl FnOnce(&mut Self::State) -> R) -> R;

    /// Calls `method` of `callee` with a Candid-encoded argument and returns the reply's bytes.
    ///
    /// Awaiting the call commits the state, and other messages run before it returns.
    ///
    /// # Errors
    ///
    /// The call was not sent, or was rejected; [`CallError::is_clean`] tells what that proves.
    fn call(
        &self,
        callee: Principal,
        method: &str,
        arg: Vec<u8>,
        wait: Wait,
    ) -> impl Future<Output = Result<Vec<u8>, CallError>>;

    /// The time in nanoseconds since 1970. It does not advance within one message.
    fn now_ns(&self) -> u64;
}

/// How long a caller waits for the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until the callee has answered. The answer is always the callee's own, or a proof that it never ran.
    Unbounded,
    /// Until a deadline. After it the answer may be `SYS_UNKNOWN`: the callee may have run, may be
    /// running, may never run, or may run later.
    Bounded,
}

/// Why a call has no reply.
///
/// It carries the reject code but not the reject message, which is text for people and differs
/// between replica versions: no decision and no reply of a canister may depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The call failed in the caller: not enough cycles, or the queue to the callee is full.
    /// Such a call is no await point: nothing was committed and no other message ran.
    NotSent,
    /// The call was rejected with this code of the interface specification.
    Rejected(u32),
}

impl CallError {
    /// The system gave up for good (`SYS_FATAL`).
    pub const SYS_FATAL: Self = Self::Rejected(1);
    /// The system gave up for now (`SYS_TRANSIENT`).
    pub const SYS_TRANSIENT: Self = Self::Rejected(2);
    /// There is no such canister or method, or it is stopped (`DESTINATION_INVALID`).
    pub const DESTINATION_INVALID: Self = Self::Rejected(3);
    /// The callee rejected by its own decision (`CANISTER_REJECT`), perhaps after it changed something.
    pub const CANISTER_REJECT: Self = Self::Rejected(4);
    /// The callee trapped (`CANISTER_ERROR`), perhaps after an await that had committed.
    pub const CANISTER_ERROR: Self = Self::Rejected(5);
    /// The deadline of a bounded-wait call has passed (`SYS_UNKNOWN`).
    pub const SYS_UNKNOWN: Self = Self::Rejected(6);

    /// Is it proven that the callee neither changed nor will change anything on account of this call?
    ///
    /// The rule is that of `ic_cdk::call::CallErrorExt::is_clean_reject`: the call was not sent, or the
    /// code is 1, 2 or 3.
    pub fn is_clean(self) -> bool {
        matches!(self, Self::NotSent | Self::SYS_FATAL | Self::SYS_TRANSIENT | Self::DESTINATION_INVALID)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent => write!(f, "call not sent"),
            Self::Rejected(code) => write!(f, "call rejected with code {code}"),
        }
    }
}
