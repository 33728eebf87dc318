//! What the model needs to know of a canister: its first state, and which handler serves which method.
//!
//! In: handlers that are generic over [`Host`](crate::host::Host). Out: a [`Canister`]. The wasm module has the same two
//! things, as `#[init]` and `#[update]`; they are written once more here because macros of ic-cdk do not run outside wasm.

use std::future::Future;

use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use candid::{CandidType, Deserialize, Principal};

use crate::host::CallError;
use crate::loom_host::LoomHost;

/// The answer to a call: Candid bytes, or the reject that the caller sees.
pub type Answer = Result<Vec<u8>, CallError>;

/// A canister, as the model runs it.
pub trait Canister: 'static {
    /// The state that its handlers share. One value of it is kept, and copied for every execution.
    type State: Clone + Send + Sync + 'static;

    /// The state after installation with this Candid argument.
    ///
    /// # Errors
    /// Why the argument does not fit.
    fn init(arg: &[u8]) -> Result<Self::State, String>;

    /// Executes an update or a query. It may await calls of `host` and nothing else.
    ///
    /// It may depend on the state, the message and [`now_ns`](crate::host::Host::now_ns) alone: no clock, no randomness, no
    /// statics. A panic ends the exploration.
    fn call(host: LoomHost<Self::State>, message: Message) -> impl Future<Output = Answer> + 'static;
}

/// A request as its callee sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Who calls.
    pub caller: Principal,
    /// What is called.
    pub method: String,
    /// Candid bytes of the arguments.
    pub arg: Vec<u8>,
}

impl Message {
    /// The only argument.
    ///
    /// # Errors
    /// A reject, as the trap of a canister that cannot decode its argument gives.
    pub fn arg<T: CandidType + for<'de> Deserialize<'de>>(&self) -> Result<T, CallError> {
        self.args::<(T,)>().map(|(arg,)| arg)
    }

    /// All arguments, as a tuple.
    ///
    /// # Errors
    /// As [`Message::arg`].
    pub fn args<T: for<'de> ArgumentDecoder<'de>>(&self) -> Result<T, CallError> {
        candid::decode_args(&self.arg).map_err(|_| CallError::CANISTER_ERROR)
    }

    /// The answer to a method that the canister does not have.
    ///
    /// # Errors
    /// Always: a reject.
    pub fn no_such_method(&self) -> Answer {
        Err(CallError::CANISTER_ERROR)
    }
}

/// A reply with this value.
///
/// # Errors
/// Never; the type is that of a handler's end.
///
/// # Panics
/// If Candid cannot encode the value.
pub fn reply(value: impl CandidType) -> Answer {
    Ok(encode((value,)))
}

/// A reply without a value.
///
/// # Errors
/// Never, as [`reply`].
pub fn done() -> Answer {
    Ok(encode(()))
}

fn encode(values: impl ArgumentEncoder) -> Vec<u8> {
    candid::encode_args(values).expect("Candid encodes every value of its types")
}
