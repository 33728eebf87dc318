//! The Internet Computer as a [`Host`], by way of ic-cdk.
//!
//! Each canister keeps its state in one thread-local cell and hands it to [`Ic`]. The state lives on the
//! heap and is written to stable memory by an upgrade only. An upgrade with open calls is as dangerous as
//! with any Rust canister: their callbacks come back to a heap that knows nothing of them.

use super::host::{CallError, Host, Wait};
use candid::Principal;
use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use ic_cdk::call::{Call, CallFailed};
use std::cell::RefCell;
use std::thread::LocalKey;

/// Where a canister keeps its state; empty until `init` or `post_upgrade` has run.
pub type Cell<S> = RefCell<Option<S>>;

/// The host of a canister whose state is in this cell.
pub struct Ic<S: 'static>(pub &'static LocalKey<Cell<S>>);

impl<S> Ic<S> {
    /// Sets the first state of the canister.
    pub fn init(&self, state: S) {
        self.0.set(Some(state));
    }
}

impl<S> Ic<S>
where
    (S,): ArgumentEncoder + for<'de> ArgumentDecoder<'de>,
{
    /// Writes the state to stable memory, before an upgrade.
    pub fn save(&self) {
        let state = self.0.take().expect("a canister with a state is upgraded");
        ic_cdk::storage::stable_save((state,)).expect("stable memory takes the state");
    }

    /// Reads the state back from stable memory, after an upgrade.
    pub fn restore(&self) {
        let (state,) = ic_cdk::storage::stable_restore().expect("stable memory holds a saved state");
        self.init(state);
    }
}

impl<S> Host for Ic<S> {
    type State = S;

    fn state<R>(&self, access: impl FnOnce(&mut S) -> R) -> R {
        self.0.with_borrow_mut(|state| access(state.as_mut().expect("init has set the state")))
    }

    async fn call(&self, callee: Principal, method: &str, arg: Vec<u8>, wait: Wait) -> Result<Vec<u8>, CallError> {
        let call = match wait {
            Wait::Unbounded => Call::unbounded_wait(callee, method),
            Wait::Bounded => Call::bounded_wait(callee, method),
        };
        match call.take_raw_args(arg).await {
            Ok(reply) => Ok(reply.into_bytes()),
            Err(CallFailed::CallRejected(reject)) => Err(CallError::Rejected(reject.raw_reject_code())),
            Err(CallFailed::CallPerformFailed(_)) | Err(CallFailed::InsufficientLiquidCycleBalance(_)) => {
                Err(CallError::NotSent)
            }
        }
    }

    fn now_ns(&self) -> u64 {
        ic_cdk::api::time()
    }
}
