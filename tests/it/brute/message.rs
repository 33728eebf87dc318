//! What goes into one execution of a canister's code and what comes out of it. No behaviour.

use std::rc::Rc;

use candid::Principal;

use super::host::State;

/// In which way code is entered; it decides which system calls are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Init,
    Update,
    /// A query that is called by an update.
    ReplicatedQuery,
    /// A query that is asked from outside.
    Query,
    Reply,
    Reject,
    Cleanup,
}

/// What is entered.
#[derive(Clone)]
pub enum Entry {
    Export(String),
    /// A function of table 0, with its environment.
    Table(u32, u32),
}

/// One message, with what code can ask about it.
#[derive(Clone)]
pub struct Message {
    pub mode: Mode,
    pub entry: Entry,
    /// The argument, or the payload of a reply.
    pub arg: Rc<Vec<u8>>,
    pub caller: Principal,
    pub reject_code: u32,
    pub reject_text: String,
    pub deadline_ns: u64,
    /// Whether an earlier message of this call context has answered.
    pub is_responded: bool,
    pub cycles: Cycles,
}

/// The cycles that code can ask about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cycles {
    /// Of the canister, before the message.
    pub balance: u128,
    /// Of those that came with the call, what is left.
    pub available: u128,
    /// Came back with the response.
    pub refunded: u128,
}

impl Message {
    /// A message that is no reject, in a call context that has not answered.
    pub fn new(mode: Mode, entry: Entry, caller: Principal, arg: Rc<Vec<u8>>, deadline_ns: u64) -> Self {
        Self {
            mode,
            entry,
            arg,
            caller,
            reject_code: 0,
            reject_text: String::new(),
            deadline_ns,
            is_responded: false,
            cycles: Cycles::default(),
        }
    }
}

/// What a canister answers by itself.
#[derive(Clone)]
pub enum Answer {
    Reply(Vec<u8>),
    Reject(String),
}

/// A call that was performed.
#[derive(Clone)]
pub struct Outgoing {
    pub callee: Vec<u8>,
    pub method: String,
    pub arg: Vec<u8>,
    pub cycles: u128,
    pub on_reply: (u32, u32),
    pub on_reject: (u32, u32),
    pub on_cleanup: Option<(u32, u32)>,
    /// Only for a bounded wait.
    pub deadline_ns: Option<u64>,
}

/// Why code did not return: the number of the IC's error and its text.
#[derive(Clone, Debug, Default, thiserror::Error)]
#[error("IC0{code}: {text}")]
pub struct Stop {
    pub code: u32,
    pub text: String,
}

/// What a message that returned leaves behind.
#[derive(Clone)]
pub struct Done {
    pub state: State,
    pub answer: Option<Answer>,
    pub requests: Vec<Outgoing>,
    /// Cycles that it took from its call.
    pub accepted: u128,
    /// Cycles that it burned.
    pub burned: u128,
}

/// How a method is exported.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Query,
    Composite,
    Update,
}
