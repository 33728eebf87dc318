//! Canisters without wasm: stand-ins for callees, installable at any id.
//!
//! In: messages. Out: what they do by rules that can be read here in full. A built-in answers a call, holds it for ever,
//! or makes a call of its own and goes on when that is answered; all that it keeps meanwhile is in its state.
//!
//! ```text
//! stub     what the scenario says              account  accounts and their identifiers
//! ledger   a token after ICRC-1 and ICRC-2     books    balances, allowances, blocks: what ledgers share
//! icp      the ICP ledger                      cmc      the cycles minting canister
//! xrc      the exchange rate canister          catalogue  which of them a scenario means
//! save     amounts as bytes
//! ```

pub mod account;
pub mod books;
pub mod cmc;
pub mod icp;
pub mod ledger;
pub mod stub;
pub mod xrc;

mod catalogue;
mod save;
#[cfg(test)]
mod stage;

use std::hash::Hash;
use std::sync::Arc;

use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use candid::{Principal, decode_args, encode_args};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use catalogue::{calls, install, methods, name};

use crate::kernel::guest::{Env, Execution, Outgoing, Read, Trap};
use crate::kernel::intern::{Interner, content_hash};
use crate::kernel::save::{Part, Reader, load_with, save_with};
use crate::kernel::{Cycles, Function, Guest, Input, MemoryId, Response};

/// What a built-in canister does. A text in place of a result is one with which the message traps.
pub trait Contract: Send + Sync + 'static {
    /// All that it keeps between messages.
    type State: Clone + Eq + Hash + Send + Sync + Serialize + DeserializeOwned;

    /// Executes an update call; `None` if there is no such update method.
    ///
    /// # Errors
    /// A text with which the call traps.
    fn update(
        &self,
        state: &Self::State,
        call: &Call<'_>,
        around: &mut Around<'_>,
    ) -> Result<Option<Turn<Self::State>>, String>;

    /// Answers a query; `None` if there is no such query method. A query that is called as an update changes nothing.
    ///
    /// # Errors
    /// A text with which the query traps.
    fn query(&self, state: &Self::State, call: &Call<'_>, around: &mut Around<'_>) -> Result<Option<Answer>, String>;

    /// Goes on at a [`Request::point`] when its answer has come.
    ///
    /// # Errors
    /// A text with which the callback traps.
    fn resume(
        &self,
        _state: &Self::State,
        _point: u64,
        _response: &Response,
        _around: &mut Around<'_>,
    ) -> Result<Turn<Self::State>, String> {
        Err("this canister makes no calls".to_string())
    }
}

/// One message of a built-in: the state after it, and what it does.
pub struct Turn<S> {
    /// The state after it.
    pub state: S,
    /// What it does.
    pub action: Action,
}

/// How a message of a built-in ends.
pub enum Action {
    /// It answers the call.
    Answer(Answer),
    /// The call is never answered.
    Hold,
    /// It makes a call and goes on later.
    Call(Request),
}

/// What a caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These Candid bytes.
    Reply(Vec<u8>),
    /// A reject with code 4 and this text.
    Reject(String),
}

/// A call that a built-in makes, with an unbounded wait. One that cannot be made goes on at once, as if it was rejected.
pub struct Request {
    /// Whom.
    pub callee: Principal,
    /// Which method.
    pub method: String,
    /// Candid argument.
    pub arg: Vec<u8>,
    /// Cycles attached.
    pub cycles: Cycles,
    /// Where [`Contract::resume`] goes on.
    pub point: u64,
}

/// A call as a built-in sees it.
pub struct Call<'a> {
    /// Name of the method.
    pub method: &'a str,
    /// Candid argument.
    pub arg: &'a [u8],
}

impl Call<'_> {
    /// The arguments as Rust values.
    ///
    /// # Errors
    /// If they are not of these types.
    pub fn args<T: for<'a> ArgumentDecoder<'a>>(&self) -> Result<T, String> {
        decode_args(self.arg).map_err(|error| format!("failed to decode the argument: {error}"))
    }
}

/// A reply of these values.
///
/// # Errors
/// What the encoder says.
pub fn reply(values: impl ArgumentEncoder) -> Result<Answer, String> {
    encode_args(values).map(Answer::Reply).map_err(|error| error.to_string())
}

/// What a built-in may ask of its surroundings; what it asks becomes part of the memo key.
pub struct Around<'a> {
    env: &'a Env<'a>,
    reads: Vec<Read>,
    accepted: Cycles,
    /// Calls made, those that failed included.
    performs: u32,
}

impl Around<'_> {
    /// The canister itself; fixed, so not a read.
    pub fn own_id(&self) -> Principal {
        self.env.own_id
    }

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

    /// Cycles that came with the call and are not accepted.
    pub fn available(&mut self) -> Cycles {
        self.reads.push(Read::Available(self.env.available));
        self.env.available - self.accepted
    }

    /// Accepts cycles of the call, at most those that are available; returns how many.
    pub fn accept(&mut self, most: Cycles) -> Cycles {
        let accepted = most.min(self.available());
        self.accepted += accepted;
        accepted
    }

    /// Whether `call_perform` succeeds: no fault strikes it, and the callee's queue is not full.
    fn performs(&mut self, callee: Principal) -> bool {
        self.reads.push(Read::PerformFails(self.env.perform_fails));
        self.performs += 1;
        if self.performs == self.env.perform_fails {
            return false;
        }
        let fits = self.env.free_slots(&callee) >= 1;
        self.reads.push(Read::Slots { callee, needed: 1, fits });
        fits
    }

    /// The request as the kernel takes it.
    fn send(&mut self, request: Request) -> Result<Outgoing, String> {
        if request.cycles > 0 {
            self.reads.push(Read::Balance(self.env.balance));
            if request.cycles > self.env.balance {
                return Err(format!("{} cycles are more than the canister has", request.cycles));
            }
        }
        let on_answer = Function { index: 0, env: request.point };
        Ok(Outgoing {
            callee: request.callee,
            method: request.method,
            arg: request.arg,
            cycles: request.cycles,
            timeout_s: None,
            on_reply: on_answer,
            on_reject: on_answer,
            on_cleanup: None,
            stack: None,
        })
    }
}

/// A built-in canister as the kernel sees it.
pub struct Builtin<C: Contract> {
    contract: Arc<C>,
    states: Arc<Interner<C::State>>,
}

impl<C: Contract> Builtin<C> {
    /// Installs a contract in its first state, whose id is 0.
    pub fn new(contract: C, first: C::State) -> Builtin<C> {
        let states = Interner::default();
        states.intern(first);
        Builtin { contract: Arc::new(contract), states: Arc::new(states) }
    }

    /// The same turn, or the one after it as long as a call cannot be made.
    fn made(&self, mut turn: Turn<C::State>, around: &mut Around<'_>) -> Result<Turn<C::State>, Trap> {
        while let Action::Call(request) = &turn.action
            && !around.performs(request.callee)
        {
            let next = self.contract.resume(&turn.state, request.point, &not_made(), around);
            turn = next.map_err(|text| Trap { code: 503, text })?;
        }
        Ok(turn)
    }

    /// The next state and what is done; `None` for a message that does nothing.
    fn turn(
        &self,
        memory: MemoryId,
        input: Input<'_>,
        around: &mut Around<'_>,
    ) -> Result<Option<Turn<C::State>>, Trap> {
        let state = self.states.value(memory.0);
        let trap = |text| Trap { code: 503, text };
        let answered = |answer| Turn { state: state.clone(), action: Action::Answer(answer) };
        match input {
            Input::Init { .. } | Input::Cleanup { .. } => Ok(None),
            // It has none of these entry points.
            Input::Task(_) | Input::Inspect { .. } | Input::PreUpgrade | Input::PostUpgrade { .. } => Ok(None),
            Input::CompositeCallback { .. } | Input::CompositeCleanup { .. } => Ok(None),
            Input::Transform { method, .. } => Err(unknown("query", method)),
            Input::Callback { function, response } => {
                self.contract.resume(state, function.env, response, around).map(Some).map_err(trap)
            }
            Input::Query { method, arg } => {
                let answer = self.contract.query(state, &Call { method, arg }, around).map_err(trap)?;
                answer.map(answered).map(Some).ok_or_else(|| unknown("query", method))
            }
            Input::Call { method, arg } => {
                let call = Call { method, arg };
                if let Some(turn) = self.contract.update(state, &call, around).map_err(trap)? {
                    return Ok(Some(turn));
                }
                let answer = self.contract.query(state, &call, around).map_err(trap)?;
                answer.map(answered).map(Some).ok_or_else(|| unknown("update", method))
            }
        }
    }
}

fn not_made() -> Response {
    Response::Reject { code: 2, text: "call_perform failed".into() }
}

fn unknown(kind: &str, method: &str) -> Trap {
    Trap { code: 536, text: format!("Canister has no {kind} method '{method}'") }
}

impl<C: Contract> Guest for Builtin<C> {
    fn fork(&self) -> Box<dyn Guest> {
        Box::new(Builtin { contract: self.contract.clone(), states: self.states.clone() })
    }

    fn execute(&mut self, memory: MemoryId, input: Input<'_>, env: &Env<'_>) -> Result<Execution, String> {
        let mut around = Around { env, reads: Vec::new(), accepted: 0, performs: 0 };
        let done = self.turn(memory, input, &mut around).and_then(|turn| {
            let Some(turn) = turn else { return Ok(None) };
            let Turn { state, action } = self.made(turn, &mut around)?;
            let mut execution = Execution::idle(memory);
            match action {
                Action::Answer(Answer::Reply(bytes)) => execution.response = Some(Response::Reply(Arc::from(bytes))),
                Action::Answer(Answer::Reject(text)) => {
                    execution.response = Some(Response::Reject { code: 4, text: text.into() });
                }
                Action::Hold => execution.held = true,
                Action::Call(request) => {
                    let outgoing = around.send(request).map_err(|text| Trap { code: 503, text })?;
                    execution.requests.push(outgoing);
                }
            }
            execution.accepted = around.accepted;
            Ok(Some((state, execution)))
        });
        let execution = match done {
            Ok(None) => Execution::idle(memory),
            Ok(Some((state, execution))) => Execution { memory: MemoryId(self.states.intern(state)), ..execution },
            Err(trap) => Execution { trap: Some(trap), ..Execution::idle(memory) },
        };
        Ok(Execution { reads: around.reads, ..execution })
    }

    fn fingerprint(&self, memory: MemoryId) -> u128 {
        content_hash(self.states.value(memory.0))
    }

    fn sizes(&self) -> Vec<u32> {
        vec![self.states.count() as u32]
    }

    fn save(&self, since: &[u32], out: &mut Part) -> Result<(), String> {
        save_with(&self.states, since[0], out, |state, out| out.put(state));
        Ok(())
    }

    fn load(&mut self, part: &mut Reader<'_>) -> Result<(), String> {
        load_with(&self.states, part, |part| part.take())
    }
}
