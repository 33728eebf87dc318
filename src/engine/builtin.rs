//! Canisters without wasm: stand-ins for callees, installable at any id.
//!
//! In: messages. Out: replies by rules that can be read here in full. A built-in answers every call within one delivery and
//! makes no calls of its own.
//!
//! ```text
//! stub     scripted replies        ledger   a token after ICRC-1
//! ```

pub mod ledger;
pub mod stub;

use std::hash::Hash;
use std::sync::Arc;

use candid::Principal;

use crate::kernel::guest::{Env, Execution, Read, Trap};
use crate::kernel::intern::{Interner, content_hash};
use crate::kernel::{Guest, Input, MemoryId, Response};

/// What a built-in canister does.
pub trait Contract {
    /// All that it keeps between messages.
    type State: Clone + Eq + Hash;

    /// Answers an update call: the new state and the reply, as Candid.
    ///
    /// # Errors
    /// A text with which the call traps.
    fn update(
        &self,
        state: &Self::State,
        call: &Call<'_>,
        around: &mut Around<'_>,
    ) -> Result<Answer<Self::State>, String>;

    /// Answers a query; `None` if there is no such query.
    ///
    /// # Errors
    /// A text with which the query traps.
    fn query(&self, state: &Self::State, call: &Call<'_>) -> Result<Option<Vec<u8>>, String>;
}

/// A new state with a reply, or `None` for a method that does not exist.
pub type Answer<S> = Option<(S, Vec<u8>)>;

/// A call as a built-in sees it.
pub struct Call<'a> {
    /// Name of the method.
    pub method: &'a str,
    /// Candid argument.
    pub arg: &'a [u8],
}

/// What a built-in may ask of its surroundings; what it asks becomes part of the memo key.
pub struct Around<'a> {
    env: &'a Env<'a>,
    reads: Vec<Read>,
}

impl Around<'_> {
    /// Who calls.
    pub fn caller(&mut self) -> Principal {
        self.reads.push(Read::Caller(self.env.caller));
        self.env.caller
    }

    /// Nanoseconds since 1970.
    pub fn time_ns(&mut self) -> u64 {
        self.reads.push(Read::Time(self.env.time_ns));
        self.env.time_ns
    }
}

/// A built-in canister as the kernel sees it.
pub struct Builtin<C: Contract> {
    contract: C,
    states: Interner<C::State>,
}

impl<C: Contract> Builtin<C> {
    /// Installs a contract in its first state, whose id is 0.
    pub fn new(contract: C, first: C::State) -> Builtin<C> {
        let mut states = Interner::default();
        states.intern(first);
        Builtin { contract, states }
    }
}

impl<C: Contract> Guest for Builtin<C> {
    fn execute(&mut self, memory: MemoryId, input: Input<'_>, env: &Env<'_>) -> Result<Execution, String> {
        let state = self.states.value(memory.0);
        let mut around = Around { env, reads: Vec::new() };
        let answer = match input {
            Input::Init { .. } => Ok(None),
            Input::Call { method, arg } => {
                let call = Call { method, arg };
                match self.contract.update(state, &call, &mut around) {
                    // A query called as an update changes nothing.
                    Ok(None) => {
                        self.contract.query(state, &call).map(|reply| reply.map(|reply| (state.clone(), reply)))
                    }
                    answered => answered,
                }
                .and_then(|answer| known(answer, "update", method))
            }
            Input::Query { method, arg } => self
                .contract
                .query(state, &Call { method, arg })
                .map(|reply| reply.map(|reply| (state.clone(), reply)))
                .and_then(|answer| known(answer, "query", method)),
            Input::Callback { .. } | Input::Cleanup { .. } => Err("a built-in canister makes no calls".to_string()),
            // It has none of these entry points.
            Input::Task(_) | Input::Inspect { .. } | Input::PreUpgrade | Input::PostUpgrade { .. } => Ok(None),
            Input::Transform { method, .. } => Err(format!("Canister has no query method '{method}'")),
        };
        let mut execution = Execution { reads: around.reads, ..Execution::idle(memory) };
        match answer {
            Ok(None) => {}
            Ok(Some((next, reply))) => {
                execution.memory = MemoryId(self.states.intern(next));
                execution.response = Some(Response::Reply(Arc::from(reply)));
            }
            Err(text) => {
                let code = if text.starts_with("Canister has no ") { 536 } else { 503 };
                execution.trap = Some(Trap { code, text });
            }
        }
        Ok(execution)
    }

    fn fingerprint(&self, memory: MemoryId) -> u128 {
        content_hash(self.states.value(memory.0))
    }
}

fn known<S>(answer: Answer<S>, kind: &str, method: &str) -> Result<Answer<S>, String> {
    match answer {
        Some(answer) => Ok(Some(answer)),
        None => Err(format!("Canister has no {kind} method '{method}'")),
    }
}
