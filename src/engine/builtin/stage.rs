//! One built-in canister by itself, for its tests: messages in, executions out.

use std::sync::Arc;

use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use candid::{Principal, decode_args, encode_args};

use super::{Builtin, Contract};
use crate::kernel::guest::{Env, Execution};
use crate::kernel::{Cycles, Function, Guest, Input, MemoryId, Response};

/// Two principals that call.
pub const ALICE: Principal = Principal::from_slice(&[1, 2, 3]);
/// The other one.
pub const BOB: Principal = Principal::from_slice(&[4, 5, 6]);
/// Id of the canister.
pub const OWN: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
/// The time at first.
pub const NOW_NS: u64 = 1_700_000_000_000_000_000;

/// A canister, its state, and who calls it when with what.
pub struct Stage<C: Contract> {
    guest: Builtin<C>,
    /// Its state now.
    pub memory: MemoryId,
    /// Who calls.
    pub caller: Principal,
    /// When.
    pub time_ns: u64,
    /// Cycles that come with each call.
    pub cycles: Cycles,
    /// Which call of a message cannot be made, from 1; 0: none.
    pub perform_fails: u32,
}

impl<C: Contract> Stage<C> {
    /// A canister in its first state, called by Alice.
    pub fn new(installed: (C, C::State)) -> Stage<C> {
        let guest = Builtin::new(installed.0, installed.1);
        Stage { guest, memory: MemoryId(0), caller: ALICE, time_ns: NOW_NS, cycles: 0, perform_fails: 0 }
    }

    fn execute(&mut self, input: Input<'_>) -> Execution {
        let Stage { cycles: available, perform_fails, .. } = *self;
        let env = Env { available, perform_fails, ..Env::outside(OWN, self.caller, self.time_ns) };
        let execution = self.guest.execute(self.memory, input, &env).expect("built-ins offer all they do");
        if !matches!(input, Input::Query { .. }) {
            self.memory = execution.memory;
        }
        execution
    }

    /// Executes an update call.
    pub fn call(&mut self, method: &str, args: impl ArgumentEncoder) -> Execution {
        self.execute(Input::Call { method, arg: &encode_args(args).unwrap() })
    }

    /// Executes a query.
    pub fn query(&mut self, method: &str, args: impl ArgumentEncoder) -> Execution {
        self.execute(Input::Query { method, arg: &encode_args(args).unwrap() })
    }

    /// Executes the callback of a response.
    pub fn answer(&mut self, function: Function, response: &Response) -> Execution {
        self.execute(Input::Callback { function, response })
    }

    /// The first value that an update call replies.
    pub fn ask<T>(&mut self, method: &str, args: impl ArgumentEncoder) -> T
    where
        (T,): for<'a> ArgumentDecoder<'a>,
    {
        value(&self.call(method, args))
    }

    /// The text with which an update call traps; its state must be what it was.
    pub fn trap(&mut self, method: &str, args: impl ArgumentEncoder) -> String {
        let before = self.memory;
        let execution = self.call(method, args);
        assert_eq!(execution.memory, before);
        let trap = execution.trap.expect("the call traps");
        format!("IC{:04}: {}", trap.code, trap.text)
    }
}

/// The first value of an execution's reply.
pub fn value<T>(execution: &Execution) -> T
where
    (T,): for<'a> ArgumentDecoder<'a>,
{
    match (&execution.trap, &execution.response) {
        (None, Some(Response::Reply(bytes))) => decode_args::<(T,)>(bytes).expect("a reply of this type").0,
        other => panic!("no reply: {other:?}"),
    }
}

/// A reply of these values, as a response.
pub fn replied(values: impl ArgumentEncoder) -> Response {
    Response::Reply(Arc::from(encode_args(values).unwrap()))
}
